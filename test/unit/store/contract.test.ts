import { MemoryStore } from '../../support/memory-store.ts';
import { SealedMemoryStore } from '../../support/sealed-memory-store.ts';
import { storeContract } from '../../support/store-contract.ts';
import { StoreRig } from '../../support/store-rig.ts';

storeContract('LevelDB', async () => {
  const rig = await StoreRig.create();
  const store = await rig.open();
  return {
    store,
    dispose: async () => {
      await store.close();
      rig.remove();
    },
  };
});

storeContract('Memory', async () => {
  const store = new MemoryStore();
  return { store, dispose: () => store.close() };
});

storeContract('The sealed store over memory', async () => {
  const store = new SealedMemoryStore();
  return { store, dispose: () => store.close() };
});
