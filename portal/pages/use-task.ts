import { useRef, useState } from 'preact/hooks';
import { ApiError, messageOf } from './api.ts';
import { KeyError } from './security-key.ts';

export interface Problem {
  readonly code: string;
  readonly text: string;
}

export interface Work {
  readonly busy: boolean;
  readonly problem: Problem | undefined;
  readonly clear: () => void;
  /** One task at a time: while it runs, another is not started. */
  readonly run: (work: () => Promise<void>) => Promise<void>;
}

/** What a form does when its button is pressed, and the result. */
export function useWork(): Work {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const running = useRef(false);
  const run = async (work: () => Promise<void>) => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setProblem(undefined);
    try {
      await work();
    } catch (error) {
      setProblem({ code: codeOf(error), text: messageOf(error instanceof KeyError ? plain(error) : error) });
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { busy, problem, clear: () => setProblem(undefined), run };
}

function codeOf(error: unknown): string {
  if (error instanceof ApiError) return error.code;
  return error instanceof KeyError ? 'key' : 'page';
}

function plain(error: KeyError): ApiError {
  return new ApiError('key', error.message);
}

/** The message, if it is about this field. */
export function problemAt(problem: Problem | undefined, codes: readonly string[]): string | undefined {
  return problem !== undefined && codes.includes(problem.code) ? problem.text : undefined;
}

/** The message, if it is about no field. */
export function problemElsewhere(problem: Problem | undefined, codes: readonly string[]): string | undefined {
  return problem === undefined || codes.includes(problem.code) ? undefined : problem.text;
}
