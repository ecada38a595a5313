import type { ServerResponse } from 'node:http';
import type { ApprovalAnswerBody, ApprovalOutcome, ApprovalView } from '../api/sign-in-views.ts';
import type { Approval, Approvals, ApprovalVerdict } from '../authenticators/approvals.ts';
import { SallyportError } from '../lib/errors.ts';
import { canonicalAddress } from '../lib/network.ts';
import { endIfOpen, writeIfOpen } from '../lib/open-stream.ts';
import { limits } from '../limits.ts';
import { shown } from '../verifier/events.ts';
import { keyOptions } from './webauthn-options.ts';

/** Shows waiting logins to the pages of the portal, and takes their answers. */
export interface ApprovalsApi {
  /** @param source the browser's address @throws SallyportError `no-such-approval` */
  show(id: string, source: string | undefined): ApprovalView;
  answer(id: string, body: ApprovalAnswerBody): Promise<ApprovalOutcome>;
  deny(id: string): ApprovalOutcome;
  /** Sends the waiting approvals, and then each change, until the client disconnects. */
  follow(response: ServerResponse, account: string): void;
  close(): void;
}

const texts: Readonly<Record<ApprovalVerdict, ApprovalOutcome>> = {
  approved: {
    outcome: 'approved',
    text: 'Approved. Return to your login; press Enter there if it asks for it.',
  },
  denied: {
    outcome: 'denied',
    text: 'Denied. If you did not start this login, someone has your password: change it.',
  },
  refused: { outcome: 'refused', text: 'This security key cannot approve this login.' },
  'wrong-number': {
    outcome: 'denied',
    text: 'Wrong number. The login was refused.',
  },
  over: { outcome: 'over', text: 'This login no longer waits for approval. Start it again.' },
};

export interface ApprovalsApiOptions {
  readonly rpId: () => string;
  /** What this machine is called. */
  readonly machine: string;
}

/** Invariants: a follower sees only one account, without numbers; unread output is bounded. */
export function createApprovalsApi(
  approvals: Approvals,
  { rpId, machine }: ApprovalsApiOptions,
): ApprovalsApi {
  const open = new Set<ServerResponse>();
  const view = (approval: Approval, browser: string | undefined, withNumber: boolean) =>
    viewOf(approval, browser, withNumber, { rpId: rpId(), machine });
  return {
    show(id, source) {
      const found = approvals.show(id);
      if (found === undefined) throw new SallyportError('no-such-approval', texts.over.text);
      return view(found.approval, source, found.byLink);
    },
    async answer(id, { number, credentialId, clientDataJSON, authenticatorData, signature }) {
      const given = { credentialId, clientDataJSON, authenticatorData, signature };
      return texts[await approvals.answer(id, given, number)];
    },
    deny: (id) => texts[approvals.deny(id)],
    follow(response, account) {
      if (open.size >= limits.approvalFollowers)
        throw new SallyportError('too-many-followers', 'too many open pages; close some of them');
      open.add(response);
      const write = (message: object): void => {
        writeIfOpen(response, `${JSON.stringify(message)}\n`);
        if (response.writableLength > limits.auditFollowUnread) response.destroy();
      };
      const stop = approvals.follow(account, ({ approval, over }) =>
        write(
          over
            ? { kind: 'approval-over', id: approval.handle }
            : { kind: 'approval', approval: view(approval, undefined, false) },
        ),
      );
      response.once('close', () => {
        stop();
        open.delete(response);
      });
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.flushHeaders();
      for (const approval of approvals.pendingOf(account))
        write({ kind: 'approval', approval: view(approval, undefined, false) });
    },
    close() {
      for (const response of open) endIfOpen(response);
    },
  };
}

function viewOf(
  approval: Approval,
  browser: string | undefined,
  withNumber: boolean,
  { rpId, machine }: { readonly rpId: string; readonly machine: string },
): ApprovalView {
  const { number, account, facts, question, challenge, asked, expires } = approval;
  const source = facts.source ?? facts.rhost;
  return {
    // Pages that the portal notifies do not learn the link, which shows the number.
    id: withNumber ? approval.id : approval.handle,
    account,
    // Otherwise it is the same account, possibly under another of its names.
    ...(/^su(-l)?$/.test(facts.service) && facts.user !== account ? { target: shown(facts.user) } : {}),
    host: facts.host?.name ?? machine,
    service: shown(facts.service),
    ...(source === undefined ? {} : { source: shown(source) }),
    ...(facts.tty === undefined ? {} : { tty: shown(facts.tty) }),
    asked,
    expires,
    ...(withNumber ? { number } : {}),
    elsewhere:
      browser !== undefined && facts.source !== undefined && canonicalAddress(browser) !== facts.source,
    key: keyOptions(question, challenge, rpId),
  };
}
