// A claim that must hold whatever was killed when, and how a breach of it is found.

import type { Evidence } from './evidence.ts';

export type Invariant = {
  readonly name: string;
  readonly sentence: string;
  readonly breaches: (evidence: Evidence) => string[];
};
