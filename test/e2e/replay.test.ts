import { onceIsOnce } from '../support/once.ts';

await onceIsOnce(import.meta.filename, 2);
