import { spawnSync } from 'node:child_process';

const marker = 'SALLYPORT_TEST_NAMESPACE';

/**
 * Runs `body` in mount, network and process namespaces of its own.
 *
 * The test file calls this around all of its tests. Outside it starts itself once more inside and
 * registers nothing; the inner process inherits stdout, so its results reach the test runner as if
 * they came from here. Whatever is started inside ends with it.
 */
export async function inNamespace(file: string, body: () => Promise<void>): Promise<void> {
  if (process.env[marker] === '1') {
    await body();
    return;
  }
  // setpriv: unshare must not outlive this process. bash: pid 1 has to reap orphans, which node does not.
  const [program = '', ...argv] = [
    ...['setpriv', '--pdeathsig', 'KILL'],
    ...[
      'unshare',
      '--mount',
      '--propagation',
      'private',
      '--net',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
    ],
    ...['bash', '-c', '"$@"; exit $?', 'bash'],
    ...[process.execPath, ...process.execArgv, file],
  ];
  const run = spawnSync(program, argv, { stdio: 'inherit', env: { ...process.env, [marker]: '1' } });
  if (run.error) throw run.error;
  process.exitCode = run.status ?? 1;
}
