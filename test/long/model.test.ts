import { it } from 'node:test';
import { runModel } from '../support/model/run.ts';

const minutes = 20;

/** SALLYPORT_SEED: the number printed by a failure; otherwise new sequences each time. */
it(`a reference model and the daemon agree for ${minutes} minutes`, async (context) => {
  const given = Number(process.env.SALLYPORT_SEED);
  let seed = Number.isInteger(given) ? given : Math.floor(performance.timeOrigin) % 1_000_000_000;
  const end = performance.now() + minutes * 60_000;
  for (; performance.now() < end; seed += 1) {
    context.diagnostic(`seed ${seed}`);
    await runModel({ onDisk: seed % 3 === 0, runs: 40, commands: 100, seed });
  }
});
