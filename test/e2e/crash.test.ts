import { crashes } from '../support/crash.ts';

await crashes(import.meta.filename, 6);
