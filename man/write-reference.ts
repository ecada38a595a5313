import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programOf } from '../cli/program.ts';
import { cliReference } from './cli-reference.ts';
import { nowhere } from './world.ts';

/** `npm run docs`: writes docs/reference/cli.md from what --help says. */
const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
writeFileSync(join(root, 'docs/reference/cli.md'), cliReference(programOf(nowhere(String(version))).program));
