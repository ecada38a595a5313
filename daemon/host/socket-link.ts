import type { Socket } from 'node:net';
import { writeIfOpen } from '../lib/open-stream.ts';
import { createModuleFrameReader, encodeDaemonFrame } from '../protocol/login.ts';
import type { FrameLink, Origin } from './contract.ts';

/** The link of a login over a Unix socket. Invariant: what was read and not handed on is wiped with the link. */
export function createSocketLink(socket: Socket, origin: Origin): FrameLink {
  return {
    origin,
    listen(events) {
      const reader = createModuleFrameReader();
      socket.on('data', (chunk: Buffer) => {
        try {
          for (const frame of reader.push(chunk)) events.frame(frame);
        } catch (error) {
          events.violated(error);
        }
      });
      socket.on('end', () => events.ended());
      socket.on('error', () => events.ended());
      socket.on('close', () => {
        reader.end();
        events.closed();
      });
    },
    send(frames) {
      socket.cork();
      for (const frame of frames) writeIfOpen(socket, encodeDaemonFrame(frame));
      socket.uncork();
    },
    close: () => socket.destroySoon(),
  };
}
