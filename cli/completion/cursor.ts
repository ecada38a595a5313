import type { Argument, Command, Option } from 'commander';

/** What the cursor's position on a command line expects. */
export type Place =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'option'; readonly command: Command; readonly given: readonly string[] }
  /** The value of an argument or an option. */
  | { readonly kind: 'value'; readonly of: Argument | Option; readonly earlier: readonly string[] }
  | { readonly kind: 'nothing' };

/**
 * @param words complete words between the program's name and the cursor
 * @param current the typed part of the word at the cursor
 */
export function placeOf(program: Command, words: readonly string[], current: string): Place {
  let command = program;
  const operands: string[] = [];
  const given: string[] = [];
  let awaited: Option | undefined;
  let onlyOperands = false;
  for (const word of words) {
    if (awaited !== undefined) {
      awaited = undefined;
      continue;
    }
    if (!onlyOperands && word === '--') {
      onlyOperands = true;
      continue;
    }
    if (!onlyOperands && word.startsWith('-')) {
      const option = optionOf(command, word);
      if (option !== undefined) given.push(option.long ?? word);
      if (option !== undefined && takesValue(option) && !word.includes('=')) awaited = option;
      continue;
    }
    const below = operands.length === 0 ? commandsOf(command).find((one) => isNamed(one, word)) : undefined;
    if (below === undefined) operands.push(word);
    else command = below;
  }
  if (awaited !== undefined) return { kind: 'value', of: awaited, earlier: operands };
  if (!onlyOperands && current.startsWith('-')) return { kind: 'option', command, given };
  if (operands.length === 0 && commandsOf(command).length > 0) return { kind: 'command', command };
  const taken = command.registeredArguments;
  const last = taken.at(-1);
  const argument = taken[operands.length] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? { kind: 'nothing' } : { kind: 'value', of: argument, earlier: operands };
}

/** The commands that --help shows. */
export function commandsOf(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command);
}

/** The options of the command and its parents, as --help shows them. */
export function optionsOf(command: Command): readonly Option[] {
  const options: Option[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const above = at;
    options.push(
      ...above
        .createHelp()
        .visibleOptions(above)
        .filter(({ long }) => at === command || (long !== '--help' && long !== '--version')),
    );
  }
  return options;
}

function optionOf(command: Command, word: string): Option | undefined {
  const name = word.split('=')[0] ?? word;
  return optionsOf(command).find(({ long, short }) => long === name || short === name);
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function isNamed(command: Command, word: string): boolean {
  return command.name() === word || command.aliases().includes(word);
}
