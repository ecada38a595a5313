import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, stop } from './run.mjs';

/** Parts of LevelDB's native part that are not separate packages. */
const within = {
  'classic-level': [
    { name: 'leveldb', license: 'BSD-3-Clause', file: 'deps/leveldb/leveldb-1.20/LICENSE' },
    { name: 'snappy', license: 'BSD-3-Clause', file: 'deps/snappy/snappy/COPYING' },
  ],
};

const head = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Sallyport
Comment: Third-party libraries are bundled into the programs; each has a paragraph
 below, with the files that it was bundled from.

Files: *
Copyright: The Sallyport authors
License: Apache-2.0
 On Debian systems, the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`;

/**
 * The licences of all that is in the package, as they ask for.
 * @param {string[]} packages of npm
 */
export function copyrightFile(packages) {
  return [head, ...packages.flatMap(paragraphs)].join('\n');
}

function paragraphs(name) {
  const directory = join(root, 'node_modules', name);
  const { license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const file = readdirSync(directory).find((entry) => /^licen[cs]e(\.\w+)?$|^copying$/i.test(entry));
  if (license === undefined || file === undefined)
    return stop(`${name} is in the package, and names no licence: node_modules/${name}`);
  return [
    paragraph(name, license, readFileSync(join(directory, file), 'utf8')),
    ...(within[name] ?? []).map((part) =>
      paragraph(part.name, part.license, readFileSync(join(directory, part.file), 'utf8')),
    ),
  ];
}

function paragraph(name, license, text) {
  const lines = text.split('\n').map((line) => line.trimEnd());
  const holders = lines.filter((line) => /copyright.*(\d{4}|©|\(c\))/i.test(line)).map((line) => line.trim());
  // One name for one text: the licences differ in their holders.
  const label = `${license}-${name.replaceAll(/[^a-z0-9]+/gi, '-').replace(/^-/, '')}`;
  const body = isCommon(license)
    ? ' On Debian systems, the full text is in /usr/share/common-licenses/Apache-2.0.'
    : lines.map((line) => (line === '' ? ' .' : ` ${line}`)).join('\n');
  return `Files: node_modules/${name}/*
Copyright: ${holders.length > 0 ? holders.join('\n  ') : `the authors of ${name}`}
License: ${label}
${body}
`;
}

const isCommon = (license) => license === 'Apache-2.0';
