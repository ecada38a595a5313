import type { Argument, Command, Option } from 'commander';
import { exitStatuses } from '../cli/lib/errors.ts';
import { argument, bold, lines, literal, pageHead, tagged, text } from './mdoc.ts';
import { filesSection, seeAlsoSection } from './sections.ts';

/** sallyport(8), out of the tree of commands that --help is made of. */
export function cliPage(program: Command, date: string): string {
  const leaves = leavesOf(program);
  return lines([
    pageHead({ title: 'sallyport', section: 8, date, names: ['sallyport'], about: program.description() }),
    '.Sh SYNOPSIS',
    '.Nm',
    '.Op Ar options',
    '.Ar command ...',
    '.Sh DESCRIPTION',
    '.Nm',
    text(
      'enrols factors, shows and changes accounts, and says why a login was let in or not. Root may do everything; members of the admin group may change accounts other than root, and everybody their own factors, after proving who they are. On a terminal it prints tables; in a pipe, the same facts plain, one record a line, parted by tabs; with --json, JSON.',
    ),
    optionList(optionsOf(program)),
    '.Sh COMMANDS',
    ...leaves.flatMap(commandPart),
    filesSection(),
    '.Sh EXIT STATUS',
    tagged(exitStatuses.map(({ status, meaning }) => [String(status), text(meaning)])),
    seeAlsoSection('sallyport'),
  ]);
}

/** Those that do something, in the order of --help. */
export function leavesOf(command: Command): readonly Command[] {
  const below = shown(command);
  return below.length === 0 ? [command] : below.flatMap(leavesOf);
}

export function shown(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help');
}

export function optionsOf(command: Command): readonly Option[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help');
}

export function pathOf(command: Command): string {
  const above = command.parent;
  return above?.parent ? `${pathOf(above)} ${command.name()}` : command.name();
}

function commandPart(command: Command): readonly string[] {
  const operands = command.registeredArguments.map(operand);
  const usage = [bold(pathOf(command)), ...(optionsOf(command).length > 0 ? ['[options]'] : []), ...operands];
  const after = helpAfter(command);
  return [
    `.Ss ${argument(pathOf(command))}`,
    usage.join(' '),
    '.Pp',
    text(sentence(command.description())),
    ...argumentList(command.registeredArguments),
    optionList(optionsOf(command)),
    ...(after === '' ? [] : [literal(after)]),
  ];
}

function operand(of: Argument): string {
  const written = `${of.name()}${of.variadic ? '...' : ''}`;
  return text(of.required ? `<${written}>` : `[${written}]`);
}

function argumentList(all: readonly Argument[]): readonly string[] {
  const described = all.filter((one) => one.description !== '');
  return described.length === 0
    ? []
    : [
        tagged(
          described.map((one) => [argument(one.name()), text(withChoices(one.description, one.argChoices))]),
        ),
      ];
}

function optionList(options: readonly Option[]): string {
  if (options.length === 0) return '';
  return tagged(
    options.map((option) => [bold(option.flags), text(withChoices(option.description, option.argChoices))]),
  );
}

export function withChoices(about: string, choices: readonly string[] | undefined): string {
  return sentence(choices === undefined ? about : `${about} (${choices.join(', ')})`);
}

export function sentence(about: string): string {
  const begun = about.slice(0, 1).toUpperCase() + about.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/** Text of addHelpText after the options, which commander emits only with the complete help. */
export function helpAfter(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => void parts.push(part) });
  command.outputHelp();
  return parts.join('').slice(command.helpInformation().length).trim();
}
