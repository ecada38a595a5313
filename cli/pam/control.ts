/** Return values of modules, in libpam's order (pam.d(5)). */
export const returnNames = [
  ...['success', 'open_err', 'symbol_err', 'service_err', 'system_err', 'buf_err', 'perm_denied'],
  ...['auth_err', 'cred_insufficient', 'authinfo_unavail', 'user_unknown', 'maxtries', 'new_authtok_reqd'],
  ...['acct_expired', 'session_err', 'cred_unavail', 'cred_expired', 'cred_err', 'no_module_data'],
  ...['conv_err', 'authtok_err', 'authtok_recover_err', 'authtok_lock_busy', 'authtok_disable_aging'],
  ...['try_again', 'ignore', 'abort', 'authtok_expired', 'module_unknown', 'bad_item', 'conv_again'],
  'incomplete',
] as const;

/** The action after a return value; a number skips that many lines. */
export type Action = 'ignore' | 'ok' | 'done' | 'bad' | 'die' | 'reset' | number;

/** Actions by return value; `default` for all others. */
export interface Control {
  readonly named: ReadonlyMap<string, Action>;
  readonly default: Action;
}

const actions = ['ignore', 'ok', 'done', 'bad', 'die', 'reset'] as const;

function spelled(success: Action, otherwise: Action, ignore: Action = otherwise): Control {
  return {
    named: new Map([
      ['success', success],
      ['new_authtok_reqd', success],
      ['ignore', ignore],
    ]),
    default: otherwise,
  };
}

/** The four keywords, expanded as in pam.d(5). */
const words: Readonly<Record<string, Control>> = {
  required: spelled('ok', 'bad', 'ignore'),
  requisite: spelled('ok', 'die', 'ignore'),
  sufficient: spelled('done', 'ignore'),
  optional: spelled('ok', 'ignore'),
};

/**
 * @param text "required", "[success=1 default=ignore]"; the brackets may be absent
 * @returns undefined if libpam cannot parse it, and refuses every login that runs the line
 */
export function parseControl(text: string): Control | undefined {
  const word = words[text.toLowerCase()];
  if (word !== undefined) return word;
  const inner = /^\[(.*)\]$/s.exec(text)?.[1] ?? text;
  const named = new Map<string, Action>();
  let otherwise: Action | undefined;
  // Spaces around "=" are allowed; of duplicate names the last applies, of duplicate defaults the first.
  const pairs = inner.replaceAll(/\s*=\s*/g, '=').split(/\s+/);
  for (const pair of pairs.filter((one) => one !== '')) {
    const [, name = '', value = ''] = /^(\w+)=(\w+)$/.exec(pair) ?? [];
    const action = parseAction(value);
    if (action === undefined) return undefined;
    if (name === 'default') otherwise ??= action;
    else if (!(returnNames as readonly string[]).includes(name)) return undefined;
    else named.set(name, action);
  }
  return { named, default: otherwise ?? 'bad' };
}

function parseAction(text: string): Action | undefined {
  const action = actions.find((one) => one === text);
  if (action !== undefined) return action;
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : undefined;
}

export function actionFor(control: Control, answer: string): Action {
  return control.named.get(answer) ?? control.default;
}
