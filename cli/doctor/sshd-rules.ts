import { methodLists, type SshdSettings } from '../lib/sshd-settings.ts';
import type { FindingId } from './catalogue.ts';

/** A problem in the settings of one connection. */
export interface Setting {
  readonly id: FindingId & `sshd.${string}`;
  readonly what: string;
  readonly fix: string;
}

export interface Circumstances {
  readonly user: string;
  /** The stack of sshd accepts password and code in one answer. */
  readonly onePrompt: boolean;
  /** The stack of sshd asks for a password. */
  readonly asksPassword: boolean;
  /** The stack of sshd allows only users whose SSH key sshd has verified. */
  readonly wantsKey: boolean;
  /** A rule accepts a FIDO key of ssh as the second factor. */
  readonly acceptsKeys: boolean;
  /** A rule for sshd names networks. */
  readonly namesNetworks: boolean;
}

/** Methods in which sshd runs the auth stack of PAM. */
const asksPam: ReadonlySet<string> = new Set(['keyboard-interactive', 'password']);
/** Time that the module allows for a login (timeout=); with less, sshd would end the login first. */
const graceSeconds = 100;

const restart = 'then: sshd -t && systemctl reload ssh';

/** The stack of sshd contains the module, so every login method must use the stack and be able to prompt. */
export function checkSettings(settings: SshdSettings, about: Circumstances): readonly Setting[] {
  const is = (keyword: string, value: string) => settings.get(keyword) === value;
  if (is('permitrootlogin', 'no') && about.user === 'root') return [];
  if (!is('usepam', 'yes'))
    return [{ id: 'sshd.pam-off', what: 'UsePAM is off', fix: `set "UsePAM yes" in a drop-in, ${restart}` }];
  return [
    ...singleFactor(settings),
    ...conversation(settings, about),
    ...otherWay(settings, about),
    ...rootsWay(settings, about),
    ...small(settings, about),
  ];
}

function singleFactor(settings: SshdSettings): readonly Setting[] {
  const lists = methodLists(settings).filter((list) => !list.some((method) => asksPam.has(method)));
  return lists.map((list) => ({
    id: 'sshd.single-factor',
    what: `"${list.join(',')}" is enough to log in`,
    fix: `install one of pam-config/sshd_config.d: AuthenticationMethods must name keyboard-interactive:pam in every list; ${restart}`,
  }));
}

function conversation(settings: SshdSettings, { onePrompt }: Circumstances): readonly Setting[] {
  const on = (keyword: string) => settings.get(keyword) === 'yes';
  const asking = methodLists(settings).filter((list) => list.some((method) => asksPam.has(method)));
  // If no list prompts, the first factor is sufficient, which is reported above.
  if (asking.length === 0 && methodLists(settings).length > 0) return [];
  const takesPassword = asking.some((list) => list.includes('password')) && on('passwordauthentication');
  const converses =
    asking.some((list) => list.includes('keyboard-interactive')) && on('kbdinteractiveauthentication');
  if (!converses && (onePrompt ? !takesPassword : true))
    return [
      {
        id: 'sshd.no-conversation',
        what: onePrompt
          ? 'neither PasswordAuthentication nor KbdInteractiveAuthentication is on'
          : 'the stack prompts twice, but KbdInteractiveAuthentication is off',
        fix: `set "KbdInteractiveAuthentication yes" in a drop-in, ${restart}`,
      },
    ];
  if (onePrompt || !takesPassword) return [];
  return [
    {
      id: 'sshd.password-answers-twice',
      what: 'PasswordAuthentication is on, which sends the password as the answer to the prompt for the code, too',
      fix: `set "PasswordAuthentication no" in a drop-in, ${restart}`,
    },
  ];
}

/** A stack for one login method, combined with settings for another. */
function otherWay(settings: SshdSettings, { asksPassword, wantsKey }: Circumstances): readonly Setting[] {
  const asking = methodLists(settings).filter((list) => list.some((method) => asksPam.has(method)));
  if (asking.length === 0) return [];
  const fix =
    'sallyport pam enable sshd --with key (or --with password), which sets stack and sshd consistently';
  if (wantsKey && !asking.some((list) => list.includes('publickey')))
    return [
      {
        id: 'sshd.key-not-asked',
        what: 'the stack requires a key, but AuthenticationMethods does not',
        fix,
      },
    ];
  const both = asking.every((list) => list.includes('publickey'));
  if (!asksPassword || !both) return [];
  return [
    {
      id: 'sshd.key-and-password',
      what: 'AuthenticationMethods requires a key, and the stack then asks for a password',
      fix,
    },
  ];
}

/** With this setting sshd accepts only keys for root: a list with any other method can never succeed. */
function rootsWay(settings: SshdSettings, { user }: Circumstances): readonly Setting[] {
  const permit = settings.get('permitrootlogin');
  if (user !== 'root' || (permit !== 'without-password' && permit !== 'prohibit-password')) return [];
  const onlyKeys = new Set(['publickey', 'hostbased', 'gssapi-with-mic']);
  if (methodLists(settings).some((list) => list.every((method) => onlyKeys.has(method)))) return [];
  return [
    {
      id: 'sshd.root-shut-out',
      what: `PermitRootLogin is ${permit}, but every list of AuthenticationMethods requires more than a key`,
      fix: `set "PermitRootLogin yes" (the code is still required) or "no" in a drop-in, ${restart}`,
    },
  ];
}

function small(settings: SshdSettings, { acceptsKeys, namesNetworks }: Circumstances): readonly Setting[] {
  const found: Setting[] = [];
  if (settings.get('permitemptypasswords') === 'yes')
    found.push({
      id: 'sshd.empty-passwords',
      what: 'PermitEmptyPasswords is on',
      fix: `set "PermitEmptyPasswords no" in a drop-in, ${restart}`,
    });
  const grace = Number(settings.get('logingracetime'));
  if (grace > 0 && grace < graceSeconds)
    found.push({
      id: 'sshd.grace-short',
      what: `LoginGraceTime is ${grace} s, less than the ${graceSeconds} s that the module gives a login`,
      fix: `set "LoginGraceTime 120" in a drop-in, or timeout= on the line of the module, ${restart}`,
    });
  const penalties = settings.get('persourcepenalties');
  if (
    penalties !== undefined &&
    penalties !== 'no' &&
    settings.get('persourcepenaltyexemptlist') === undefined
  )
    found.push({
      id: 'sshd.penalties',
      what: 'PerSourcePenalties is on',
      fix: 'list addresses that many users share in PerSourcePenaltyExemptList',
    });
  if (namesNetworks && settings.get('usedns') === 'yes')
    found.push({
      id: 'sshd.host-names',
      what: 'UseDNS is on, so sshd passes host names to PAM, but a rule names networks',
      fix: `set "UseDNS no" in a drop-in, ${restart}`,
    });
  const touch = (settings.get('pubkeyauthoptions') ?? '').split(/[\s,]+/).includes('touch-required');
  if (acceptsKeys && !touch)
    found.push({
      id: 'sshd.touch-not-required',
      what: 'a rule accepts FIDO keys of ssh, but PubkeyAuthOptions does not require a touch',
      fix: `install pam-config/sshd_config.d/sallyport-security-key.conf, ${restart}`,
    });
  return found;
}
