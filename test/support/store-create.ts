import { StoreRig } from './store-rig.ts';

/** `node store-create.js FOLDER`: makes a store below it. */
await StoreRig.create(process.argv[2]);
