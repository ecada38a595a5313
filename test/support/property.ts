import fc from 'fast-check';

/**
 * fast-check, with the same inputs in every run: what fails here fails for everybody, and at once. New inputs:
 * SALLYPORT_SEED=random, or the number that a failure has printed.
 */
const seed = process.env.SALLYPORT_SEED;
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed ?? 20_250_101) });

export { fc };
