import { join } from 'node:path';
import type { Contestant } from './candidate.ts';
import { promptFrame, resultFrame } from './frames.ts';
import { must, repository, writeService } from './machine.ts';
import { people } from './people.ts';
import { Daemon, urgently } from './process.ts';

/** What answers the frames of pam_sallyport.so and decides nothing: no daemon of its kind can be faster. */
function floor(
  directory: string,
  module: 'C floor' | 'Node floor',
  warmUp: number,
  commandOf: (socket: string) => readonly string[],
): Contestant {
  const service = module.replace(' ', '-').toLowerCase();
  const socket = join(directory, `${service}.sock`);
  const pam = join(repository, 'build/Release/pam_sallyport.so');
  writeService(directory, service, [`auth required ${pam} socket=${socket} first_factor=passed`]);
  const daemon = new Daemon([...urgently, ...commandOf(socket)], socket, join(directory, `${service}.log`));
  return {
    module,
    users: undefined,
    service,
    mostLogins: Number.POSITIVE_INFINITY,
    warmUp,
    plan: (clients, logins) =>
      people.slice(0, clients).map(({ name }) => ({ user: name, codes: Array(logins).fill('000000') })),
    async restart() {
      await daemon.stop();
      await daemon.start();
    },
    stop: () => daemon.stop(),
    wake: () => daemon.wake(),
    rest: () => daemon.rest(),
    cpu: () => daemon.cpu(),
  };
}

export function floors(directory: string, warmUp: number): Contestant[] {
  const program = join(directory, 'floor');
  must('cc', ['-O2', '-o', program, join(repository, 'bench/native/floor.c')]);
  const frames = [promptFrame.toString('hex'), resultFrame.toString('hex')];
  const script = join(import.meta.dirname, 'floor-node.js');
  return [
    floor(directory, 'C floor', 50, (socket) => [program, socket, join(directory, 'floor.data'), ...frames]),
    floor(directory, 'Node floor', warmUp, (socket) => [
      ...[process.execPath, script, socket],
      join(directory, 'floor.leveldb'),
    ]),
  ];
}
