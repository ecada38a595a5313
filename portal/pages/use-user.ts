import { useCallback, useEffect, useState } from 'preact/hooks';
import type { UserView } from '../../daemon/api/views.ts';
import { call, messageOf } from './api.ts';
import { usePortal } from './session.ts';

export interface LoadedUser {
  readonly user: UserView | undefined;
  readonly problem: string | undefined;
  readonly reload: () => Promise<void>;
}

/** One account as the server knows it; loaded again after a new sign-in. */
export function useUser(account: string): LoadedUser {
  const { session } = usePortal();
  const [user, setUser] = useState<UserView>();
  const [problem, setProblem] = useState<string>();
  const signedIn = session.person !== null;
  const reload = useCallback(async () => {
    try {
      setUser(await call('GET /api/users/:user', { path: { user: account } }));
      setProblem(undefined);
    } catch (error) {
      setProblem(messageOf(error));
    }
  }, [account]);
  useEffect(() => {
    if (signedIn) void reload();
  }, [reload, signedIn]);
  return { user, problem, reload };
}
