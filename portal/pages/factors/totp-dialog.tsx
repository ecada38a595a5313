import { useMemo, useState } from 'preact/hooks';
import type { KindWith, UserView } from '../../../daemon/api/views.ts';
import { call } from '../api.ts';
import { base32Bytes, base32Text, base64, randomSecret } from '../base32.ts';
import { CopyButton } from '../components/copy-button.tsx';
import { Field } from '../components/field.tsx';
import { QrCode } from '../components/qr.tsx';
import { useConfirmation } from '../confirmation.tsx';
import { otpauthUri } from '../otpauth.ts';
import { problemAt, useWork, type Work } from '../use-task.ts';
import { type AddDialogProps, FactorDialog, NameField, nameCodes } from './factor-dialog.tsx';

const secretCodes = ['bad-secret'];
const codeCodes = ['wrong-code'];

type Bytes = ReturnType<typeof base32Bytes>;

export interface TotpDialogProps extends AddDialogProps {
  readonly kind: KindWith<'period'>;
}

export function TotpDialog({ kind, user, onClose, onAdded }: TotpDialogProps) {
  const { digits, period, algorithm, issuer: usualIssuer } = user.defaults;
  const [name, setName] = useState('');
  const [secret, setSecret] = useState(() => randomSecret(algorithm));
  const [issuer, setIssuer] = useState(usualIssuer);
  const [typed, setTyped] = useState('');
  const work = useWork();
  const bytes = useMemo(() => base32Bytes(secret), [secret]);
  const code = typed.replace(/\s/g, '');

  const submit = () =>
    work.run(async () => {
      if (bytes === undefined) return;
      const token = { kind, secret: base64(bytes), digits, period, algorithm };
      const added = await confirmation.run(() =>
        call('POST /api/users/:user/factors', {
          path: { user: user.account },
          body: { ...token, name: name.trim(), code, verify: true },
        }),
      );
      if (added !== undefined) onAdded(added);
    });
  const confirmation = useConfirmation({ always: true, onVerified: submit });
  const isCode = new RegExp(`^\\d{${digits}}$`).test(code);

  return (
    <FactorDialog
      wide
      title="Add a TOTP factor"
      action="Add"
      filled={name.trim() !== '' && bytes !== undefined && isCode && confirmation.filled}
      work={work}
      codesOfFields={[...nameCodes, ...secretCodes, ...codeCodes]}
      onSubmit={submit}
      onClose={onClose}
    >
      <div class="totp">
        <div class="totp-fields">
          <NameField
            name={name}
            onName={setName}
            work={work}
            hint="The device or application, such as “pixel-7 authy”."
          />
          <SecretField user={user} secret={secret} bytes={bytes} onSecret={setSecret} work={work} />
          <IssuerField issuer={issuer} onIssuer={setIssuer} />
        </div>
        <Scannable user={user} issuer={issuer} secret={bytes} />
      </div>
      {confirmation.fields}
      <CodeField digits={digits} code={typed} onCode={setTyped} work={work} />
    </FactorDialog>
  );
}

interface SecretFieldProps {
  readonly user: UserView;
  readonly secret: string;
  /** undefined: it is no Base32. */
  readonly bytes: Bytes;
  readonly onSecret: (secret: string) => void;
  readonly work: Work;
}

function SecretField({ user, secret, bytes, onSecret, work }: SecretFieldProps) {
  const malformed = 'A secret consists of the letters A to Z and the digits 2 to 7.';
  return (
    <>
      <Field
        label="Secret"
        value={secret}
        onValue={(value) => {
          onSecret(value);
          work.clear();
        }}
        error={bytes === undefined && secret !== '' ? malformed : problemAt(work.problem, secretCodes)}
        input={{ autocomplete: 'off', autocapitalize: 'characters', spellcheck: false, class: 'mono' }}
        beside={
          <button
            type="button"
            class="button"
            onClick={() => onSecret(randomSecret(user.defaults.algorithm))}
          >
            Randomize
          </button>
        }
      />
      {bytes !== undefined && <WholeSecret secret={base32Text(bytes)} />}
    </>
  );
}

interface IssuerFieldProps {
  readonly issuer: string;
  readonly onIssuer: (issuer: string) => void;
}

function IssuerField({ issuer, onIssuer }: IssuerFieldProps) {
  return (
    <Field
      label="Issuer name"
      value={issuer}
      onValue={onIssuer}
      hint="The name that the app shows beside the code."
      input={{ autocomplete: 'off', maxLength: 100 }}
    />
  );
}

interface ScannableProps {
  readonly user: UserView;
  readonly issuer: string;
  readonly secret: Bytes;
}

/** The QR code, and a link for the app on the same device. */
function Scannable({ user: { account, defaults }, issuer, secret }: ScannableProps) {
  const uri = secret === undefined ? undefined : otpauthUri({ issuer, account, secret, defaults });
  return (
    <figure class="totp-code">
      {uri === undefined ? (
        <div class="qr qr-missing">The QR code appears once there is a secret.</div>
      ) : (
        <QrCode text={uri} label={`QR code for ${account}`} />
      )}
      <figcaption>{account}</figcaption>
      {uri !== undefined && (
        <a class="button" href={uri}>
          Open in your authenticator
        </a>
      )}
    </figure>
  );
}

interface CodeFieldProps {
  readonly digits: number;
  readonly code: string;
  readonly onCode: (code: string) => void;
  readonly work: Work;
}

function CodeField({ digits, code, onCode, work }: CodeFieldProps) {
  return (
    <Field
      label="Verification code"
      value={code}
      onValue={(value) => {
        onCode(value);
        work.clear();
      }}
      error={problemAt(work.problem, codeCodes)}
      hint={`The ${digits} digits that the app shows after scanning the QR code.`}
      input={{ autocomplete: 'one-time-code', inputMode: 'numeric', required: true, class: 'mono' }}
    />
  );
}

/** To be typed on another device: a field may be too narrow for the whole secret. */
function WholeSecret({ secret }: { readonly secret: string }) {
  const groups = secret.match(/.{1,4}/g) ?? [];
  return (
    <div class="whole-secret">
      <code>{groups.join(' ')}</code>
      <CopyButton text={secret} of="secret" />
    </div>
  );
}
