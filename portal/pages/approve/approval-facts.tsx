import { useEffect, useState } from 'preact/hooks';
import type { ApprovalView } from '../../../daemon/api/sign-in-views.ts';
import { Message } from '../components/message.tsx';
import { timeWithSeconds } from '../labels.ts';

/** Who logs in where, from where and when: what the user has to recognise. */
export function ApprovalFacts({ approval }: { readonly approval: ApprovalView }) {
  return (
    <>
      {approval.elsewhere && (
        <Message kind="alarm">
          <strong>This login comes from a different address.</strong> Its address is{' '}
          <b>{approval.source ?? 'not known'}</b>, which is not the address of this browser. If you did not
          start it yourself just now, choose <b>Deny</b>: someone has your password.
        </Message>
      )}
      <dl class="facts">
        <dt>Account</dt>
        <dd>{approval.account}</dd>
        {approval.target !== undefined && (
          <>
            <dt>Becomes</dt>
            <dd>{approval.target}</dd>
          </>
        )}
        <dt>Host</dt>
        <dd>{approval.host}</dd>
        <dt>Service</dt>
        <dd>{approval.service}</dd>
        <dt>From</dt>
        <dd>
          {approval.source ?? (approval.tty === undefined ? 'not known' : `this machine, ${approval.tty}`)}
        </dd>
        <dt>Time</dt>
        <dd>{timeWithSeconds(approval.asked)}</dd>
      </dl>
    </>
  );
}

/** Seconds until the request expires, updated once a second. */
export function useSecondsLeft(expires: number): number {
  const left = () => Math.max(0, Math.ceil((expires - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    setSeconds(left());
    const timer = setInterval(() => setSeconds(left()), 1000);
    return () => clearInterval(timer);
  }, [expires]);
  return seconds;
}
