import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApprovalView } from '../../daemon/api/sign-in-views.ts';
import type { StoredAuditEvent } from '../../daemon/api/views.ts';
import type { LiveMessage } from '../contract.ts';
import { call } from './api.ts';
import { sessionEnded } from './session.ts';

export interface Live {
  /** The user's logins that wait for approval. */
  readonly approvals: readonly ApprovalView[];
  readonly forget: (id: string) => void;
}

type AuditListener = (event: StoredAuditEvent) => void;
const auditListeners = new Set<AuditListener>();
let socket: WebSocket | undefined;

/** Events as they happen, while the page shows them. */
export function followAudit(heard: AuditListener): () => void {
  auditListeners.add(heard);
  askForAudit();
  return () => auditListeners.delete(heard);
}

function askForAudit(): void {
  if (socket?.readyState === WebSocket.OPEN && auditListeners.size > 0)
    socket.send(JSON.stringify({ kind: 'follow-audit' }));
}

const pauses = [1_000, 2_000, 5_000, 15_000, 30_000];

/** Events that the server sends during a session. A broken connection is reopened. */
export function useLive(account: string | undefined): Live {
  const [approvals, setApprovals] = useState<readonly ApprovalView[]>([]);
  const failures = useRef(0);
  const forget = (id: string) => setApprovals((held) => held.filter((approval) => approval.id !== id));

  useEffect(() => {
    setApprovals([]);
    if (account === undefined) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wanted = true;
    const connect = () => {
      const opened = new WebSocket(
        `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/live`,
      );
      socket = opened;
      let wasOpen = false;
      opened.onopen = () => {
        wasOpen = true;
        failures.current = 0;
        askForAudit();
      };
      opened.onmessage = ({ data }) => {
        const message = readMessage(data);
        if (message !== undefined) take(message);
      };
      opened.onclose = () => {
        if (!wanted) return;
        if (!wasOpen) void askWhetherOver();
        timer = setTimeout(connect, pauses[Math.min(failures.current, pauses.length - 1)]);
        failures.current += 1;
      };
    };
    const take = (message: LiveMessage) => {
      switch (message.kind) {
        case 'approval':
          setApprovals((held) => [...held.filter(({ id }) => id !== message.approval.id), message.approval]);
          return;
        case 'approval-over':
          forget(message.id);
          return;
        case 'signed-out':
          sessionEnded();
          return;
        case 'audit':
          for (const heard of auditListeners) heard(message.event);
      }
    };
    connect();
    return () => {
      wanted = false;
      clearTimeout(timer);
      socket?.close();
      socket = undefined;
    };
  }, [account]);

  return { approvals, forget };
}

/** A rejected connection may be the first sign that the session has ended, for example after a restart. */
async function askWhetherOver(): Promise<void> {
  try {
    const { person } = await call('GET /api/session', {});
    if (person === null) sessionEnded();
  } catch {
    // The server is unreachable, which says nothing about the session.
  }
}

function readMessage(data: unknown): LiveMessage | undefined {
  try {
    return JSON.parse(String(data)) as LiveMessage;
  } catch {
    return undefined;
  }
}
