import { useMemo, useState } from 'preact/hooks';
import { call } from '../api.ts';
import { base32Bytes, base32Text, base64, randomSecret } from '../base32.ts';
import { CopyButton } from '../components/copy-button.tsx';
import { Field } from '../components/field.tsx';
import { QrCode } from '../components/qr.tsx';
import { useConfirmation } from '../confirmation.tsx';
import { otpauthUri } from '../otpauth.ts';
import { problemAt, useWork } from '../use-task.ts';
import { type AddDialogProps, FactorDialog, NameField, nameCodes } from './factor-dialog.tsx';

const secretCodes = ['bad-secret'];
const codeCodes = ['wrong-code'];

export function TotpDialog({ user, onClose, onAdded }: AddDialogProps) {
  const { digits, period, algorithm, issuer: usualIssuer } = user.defaults;
  const [name, setName] = useState('');
  const [secret, setSecret] = useState(() => randomSecret(algorithm));
  const [issuer, setIssuer] = useState(usualIssuer);
  const [code, setCode] = useState('');
  const work = useWork();

  const submit = () =>
    work.run(async () => {
      if (bytes === undefined) return;
      const added = await confirmation.run(() =>
        call('POST /api/users/:user/factors', {
          path: { user: user.account },
          body: {
            kind: 'totp',
            name: name.trim(),
            secret: base64(bytes),
            digits,
            period,
            algorithm,
            code: code.replace(/\s/g, ''),
            verify: true,
          },
        }),
      );
      if (added !== undefined) onAdded(added);
    });
  const confirmation = useConfirmation({ always: true, onVerified: submit });

  const bytes = useMemo(() => base32Bytes(secret), [secret]);
  const uri =
    bytes === undefined
      ? undefined
      : otpauthUri({ issuer, account: user.account, secret: bytes, defaults: user.defaults });
  const codeIsWhole = new RegExp(`^\\d{${digits}}$`).test(code.replace(/\s/g, ''));
  const filled = name.trim() !== '' && bytes !== undefined && codeIsWhole && confirmation.filled;
  const { problem } = work;

  return (
    <FactorDialog
      wide
      title="Add a TOTP factor"
      action="Add"
      filled={filled}
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
          <Field
            label="Secret"
            value={secret}
            onValue={(value) => {
              setSecret(value);
              work.clear();
            }}
            error={
              bytes === undefined && secret !== ''
                ? 'A secret consists of the letters A to Z and the digits 2 to 7.'
                : problemAt(problem, secretCodes)
            }
            input={{ autocomplete: 'off', autocapitalize: 'characters', spellcheck: false, class: 'mono' }}
            beside={
              <button type="button" class="button" onClick={() => setSecret(randomSecret(algorithm))}>
                Randomize
              </button>
            }
          />
          {bytes !== undefined && <WholeSecret secret={base32Text(bytes)} />}
          <Field
            label="Issuer name"
            value={issuer}
            onValue={setIssuer}
            hint="The name that the app shows beside the code."
            input={{ autocomplete: 'off', maxLength: 100 }}
          />
        </div>
        <figure class="totp-code">
          {uri === undefined ? (
            <div class="qr qr-missing">The QR code appears once there is a secret.</div>
          ) : (
            <QrCode text={uri} label={`QR code for ${user.account}`} />
          )}
          <figcaption>{user.account}</figcaption>
          {uri !== undefined && (
            <a class="button" href={uri}>
              Open in your authenticator
            </a>
          )}
        </figure>
      </div>
      {confirmation.fields}
      <Field
        label="Verification code"
        value={code}
        onValue={(value) => {
          setCode(value);
          work.clear();
        }}
        error={problemAt(problem, codeCodes)}
        hint={`The ${digits} digits that the app shows after scanning the QR code.`}
        input={{ autocomplete: 'one-time-code', inputMode: 'numeric', required: true, class: 'mono' }}
      />
    </FactorDialog>
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
