// Limits how many streams may be open at once, for one caller and in all (ADR 0019).

import { accountOf, type Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { counterKey } from '../limits/rate-limits.ts';

const most = { ofLocal: 1_000, ofOthers: 100, inAll: 2_000 };
const retryAfterSeconds = 5;

export type StreamLimit = {
  /** Counts one more stream of the caller. @returns a function that counts it as ended @throws Problem rate-limited */
  readonly enter: (principal: Principal) => () => void;
};

export function createStreamLimit(): StreamLimit {
  const openBy = new Map<string, number>();
  let open = 0;

  function count(caller: string, change: 1 | -1): void {
    open += change;
    const left = (openBy.get(caller) ?? 0) + change;
    if (left > 0) openBy.set(caller, left);
    else openBy.delete(caller);
  }

  return {
    enter(principal) {
      const caller = counterKey(principal);
      const ofOne = accountOf(principal).kind === 'local' ? most.ofLocal : most.ofOthers;
      if ((openBy.get(caller) ?? 0) >= ofOne) throw tooMany(`This caller has ${ofOne} streams open`);
      if (open >= most.inAll) throw tooMany(`${most.inAll} streams are open`);
      count(caller, 1);
      return () => count(caller, -1);
    },
  };
}

function tooMany(what: string): Problem {
  return new Problem('rate-limited', `${what}, the most allowed at once; end one, or try again later.`, {
    retry_after: retryAfterSeconds,
  });
}
