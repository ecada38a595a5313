import { inNamespace } from '../support/rig/namespace.ts';
import { unverifiedScenarios } from '../support/unverified.ts';

await inNamespace(import.meta.filename, () => unverifiedScenarios(100, true));
