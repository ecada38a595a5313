import { Message } from '../components/message.tsx';
import { useUser } from '../use-user.ts';
import { Factors } from './factors.tsx';

export function MyFactorsPage({ account }: { readonly account: string }) {
  const { user, problem, reload } = useUser(account);
  return (
    <>
      <h1>My second factors</h1>
      {problem !== undefined && <Message kind="error">{problem}</Message>}
      {user === undefined && problem === undefined && <p class="empty">Loading …</p>}
      {user !== undefined && <Factors user={user} mine reload={reload} />}
    </>
  );
}
