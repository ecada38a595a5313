import { createServer } from 'node:net';
import { Level } from 'level';
import { promptFrame, resultFrame } from './frames.ts';

/**
 * The least that a daemon in Node can do for a login: it accepts every answer once it is durable in LevelDB.
 * Arguments: a socket and a directory.
 */
const [socketPath = '', directory = ''] = process.argv.slice(2);
const db = new Level<string, Buffer>(directory, { valueEncoding: 'buffer' });
await db.open();
createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => {
    socket.write(promptFrame);
    socket.once('data', async (answer) => {
      await db.put('account', Buffer.from(answer), { sync: true });
      socket.end(resultFrame);
    });
  });
}).listen(socketPath);
