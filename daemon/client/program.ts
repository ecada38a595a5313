/** What the programs around sallyportd share with it. */
export { createLog, type Log, type LogFields } from '../lib/log.ts';
export { exits, forbidFetch, logToStderr, runProgram, version } from '../lib/program.ts';
