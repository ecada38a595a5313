import { inNamespace } from '../support/rig/namespace.ts';
import { unprovenScenarios } from '../support/unproven.ts';

await inNamespace(import.meta.filename, () => unprovenScenarios(100, true));
