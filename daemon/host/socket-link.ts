import { createModuleFrameReader, encodeDaemonFrame } from '../protocol/login.ts';
import type { Connection } from './connection.ts';
import type { FrameLink, Origin } from './contract.ts';

/** The link of a login over a Unix socket. Invariant: what was read and not handed on is wiped with the link. */
export function createSocketLink(connection: Connection, origin: Origin): FrameLink {
  return {
    origin,
    listen(events) {
      const reader = createModuleFrameReader();
      connection.listen({
        data(chunk) {
          try {
            for (const frame of reader.push(chunk)) events.frame(frame);
          } catch (error) {
            events.violated(error);
          }
        },
        ended: () => events.ended(),
        closed() {
          reader.end();
          events.closed();
        },
      });
    },
    send(frames) {
      const [first] = frames;
      if (first === undefined) return;
      connection.write(
        frames.length === 1 ? encodeDaemonFrame(first) : Buffer.concat(frames.map(encodeDaemonFrame)),
      );
    },
    close: () => connection.destroySoon(),
  };
}
