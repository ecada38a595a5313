#!/usr/bin/env node
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultConfigFile, type PortalSetting, readPortalSetting } from '../daemon/client/config.ts';
import type { Log } from '../daemon/lib/log.ts';
import { exits, forbidFetch, logToStderr, runProgram, version } from '../daemon/lib/program.ts';
import { createPortalDaemon } from './daemon.ts';
import { createFamiliar } from './familiar.ts';
import { takeActivatedSocket } from './http/activation.ts';
import { createAddresses } from './http/address.ts';
import { type Assets, loadAssets } from './http/assets.ts';
import { messageOf } from './http/errors.ts';
import { createRateLimiter } from './http/rate-limiter.ts';
import { createPortalServer } from './http/server.ts';
import { createSite } from './http/site.ts';
import { createCertificate } from './http/tls.ts';
import { limits } from './limits.ts';
import { createSessions } from './sessions.ts';
import { startSettingsReport } from './settings-report.ts';

/** Assembles the portal; no other module does. */

const usage = `usage: sallyport-portal [--config FILE]

  --config FILE  the configuration, by default ${defaultConfigFile}
`;

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** The pages, read at the start and at SIGHUP. */
function createPages(log: Log): { readonly current: () => Assets | undefined; readonly reload: () => void } {
  const directory = join(import.meta.dirname, 'public');
  let assets: Assets | undefined;
  const reload = (): void => {
    try {
      assets = loadAssets(directory);
      if (assets === undefined)
        log.warning('pages-missing', {
          directory,
          message: 'there are no pages to serve; run: npm run build',
        });
    } catch (error) {
      log.error('pages-bad', { directory, message: messageOf(error) });
    }
  };
  reload();
  return { current: () => assets, reload };
}

async function serve({ controlSocket, portal, rpId, digest }: PortalSetting, log: Log): Promise<void> {
  const daemon = createPortalDaemon(controlSocket);
  const descriptor = takeActivatedSocket(process.env, process.pid);
  const sessions = createSessions({
    limits,
    monotonic: clock.monotonic,
    endToken: (token) => daemon.person(token).endToken(),
  });
  setInterval(() => sessions.sweep(), limits.sessionSweep).unref();
  const rateLimit = (of: { readonly burst: number; readonly forgetOneIn: number }) =>
    createRateLimiter({ ...of, entries: limits.rateEntries, monotonic: clock.monotonic });
  const context = {
    site: createSite({ name: portal.name, rpId, origins: portal.origins }),
    daemon,
    sessions,
    rateLimits: {
      signIns: rateLimit(limits.signInRate),
      wrong: rateLimit(limits.wrongAnswerRate),
      guesses: rateLimit(limits.guessRate),
    },
    familiar: createFamiliar(),
    clock,
    log,
  };
  const pages = createPages(log);
  const certificate = portal.tls && createCertificate(portal.tls, log, (pair) => server.setCertificate(pair));
  const server = createPortalServer({
    context,
    addresses: createAddresses(portal.proxies),
    assets: pages.current,
    ...(certificate === undefined ? {} : { tls: certificate.first }),
  });

  process.on('SIGHUP', () => {
    certificate?.check();
    pages.reload();
  });
  // Before the first connection, so that an early signal is not missed.
  const stopRequested = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const { address, port } = await server.listen(
    descriptor === undefined ? { host: portal.listen.address, port: portal.listen.port } : { fd: descriptor },
  );
  log.info('ready', {
    version: version(),
    pid: process.pid,
    address,
    port,
    origins: portal.origins.join(' '),
  });
  const report = startSettingsReport(() => daemon.reportSettings(digest), limits.settingsReport);
  await stopRequested;
  log.info('stopping');
  report.close();
  certificate?.close();
  await server.close();
}

function parse() {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      version: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return values;
}

runProgram({
  name: 'sallyport-portal',
  usage,
  parse,
  async run({ config }) {
    forbidFetch('sallyport-portal');
    const read = await readPortalSetting(config ?? defaultConfigFile);
    if (!read.ok) {
      for (const problem of read.problems) process.stderr.write(`sallyport-portal: ${problem}\n`);
      return exits.config;
    }
    await serve(read.setting, logToStderr());
    return exits.done;
  },
});
