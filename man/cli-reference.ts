import type { Command } from 'commander';
import { exitStatuses } from '../cli/lib/errors.ts';
import { helpAfter, leavesOf, optionsOf, pathOf, sentence, shown, withChoices } from './cli-page.ts';

/** docs/reference/cli.md, from the tree of commands that --help is made of. */
export function cliReference(program: Command): string {
  return `${[
    '# Commands',
    'For administrators who look up a command or an option. `npm run docs` writes this page from the texts of `--help`: change those, not this page.',
    '- Commands that read take `--json`. In a pipe, tables are plain: one record a line, fields separated by tabs.',
    '- Times in JSON and in pipes are ISO 8601 in UTC, with milliseconds: `2025-03-01T08:30:00.000Z`.',
    '- Codes, keys and data go to standard output, everything else to standard error.',
    '- Root may do everything. What members of the admin group and users may do: [Enrol users](../how-to/enrol-users.md#let-users-manage-their-own-factors).',
    optionTable(program),
    ...shown(program).flatMap(chapter),
    '## Exit status',
    table(
      ['status', 'meaning'],
      exitStatuses.map(({ status, meaning }) => [String(status), meaning]),
    ),
    'Next: [files](files.md), [the configuration](configuration.md), [the audit trail](audit-events.md).',
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .replace(/\n\n(?=- )/g, '\n')
    .replace(/(`--help`[^\n]*)\n- /, '$1\n\n- ')}\n`;
}

function chapter(top: Command): readonly string[] {
  const leaves = leavesOf(top);
  const intro = leaves.length > 1 ? [sentence(markdown(top.description()))] : [];
  return [`## ${top.name()}`, ...intro, ...leaves.flatMap((leaf) => commandPart(leaf, leaves.length > 1))];
}

function commandPart(command: Command, named: boolean): readonly string[] {
  const operands = command.registeredArguments.map((one) => {
    const name = `${one.name()}${one.variadic ? '...' : ''}`;
    return one.required ? `<${name}>` : `[${name}]`;
  });
  const options = optionsOf(command).length > 0 ? ['[options]'] : [];
  const after = helpAfter(command);
  return [
    named ? `### ${pathOf(command)}` : '',
    `\`\`\`\nsallyport ${[pathOf(command), ...options, ...operands].join(' ')}\n\`\`\``,
    sentence(markdown(command.description())),
    optionTable(command),
    after === '' ? '' : `\`\`\`\n${after}\n\`\`\``,
  ];
}

function optionTable(command: Command): string {
  const operands = command.registeredArguments
    .filter((one) => one.description !== '')
    .map((one) => [`\`${one.name()}\``, markdown(withChoices(one.description, one.argChoices))]);
  const options = optionsOf(command).map((one) => [
    `\`${one.flags}\``,
    markdown(withChoices(one.description, one.argChoices)),
  ]);
  const rows = [...operands, ...options];
  return rows.length === 0 ? '' : table(['option', 'meaning'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A text of --help holds no markup: what would be some is escaped. */
function markdown(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[<>*_[\]\\]/g, '\\$&');
}
