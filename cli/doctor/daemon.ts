import { type Check, type Finding, finding, type Machine, notChecked, orGood, pathsOf } from './contract.ts';
import { guarded } from './protected-services.ts';

/** Whether sallyportd runs, answers, and is the installed version. */
export const daemonCheck: Check = {
  id: 'daemon',
  what: 'sallyportd answers and has the version of this command',
  async run(machine) {
    const status = await machine.status();
    if (status.ok) {
      const { version, pid } = status.value;
      return orGood(
        version === machine.version ? [] : [otherVersion(version, machine.version)],
        `sallyportd ${version} answers (pid ${pid})`,
      );
    }
    if (status.code === 'daemon-unreachable') return [await away(machine, status.message)];
    return [notChecked(`the state of sallyportd, which denies it to ${machine.user} (${status.message})`)];
  },
};

function otherVersion(daemon: string, command: string): Finding {
  return finding(
    'daemon.version-mismatch',
    `sallyportd has version ${daemon} and this command ${command}: the old daemon is still running`,
    'systemctl restart sallyportd',
  );
}

async function away(machine: Machine, message: string): Promise<Finding> {
  const { store } = await pathsOf(machine);
  const config = await machine.files.look(machine.configFile);
  const found = await machine.files.look(store);
  if (config.kind === 'absent' && found.kind === 'absent')
    return finding(
      'daemon.not-initialised',
      'the configuration and the store do not exist yet',
      'sallyport init',
    );
  const fix = 'systemctl start sallyportd; if it does not start, see: journalctl -u sallyportd -e';
  const services = guarded(machine);
  if (services.kind === 'seen' && services.services.length === 0)
    return finding('daemon.not-running', message, fix);
  return finding('daemon.down', message, fix);
}
