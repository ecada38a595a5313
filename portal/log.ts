/** One JSON object a line on stderr, as sallyportd's. Never a cookie, token, password, code, link or path. */
export { createLog, type Log, type LogFields, logToStderr } from '../daemon/client/program.ts';
