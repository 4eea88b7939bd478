// An invariant: a claim that must hold whatever was killed at any time, and how to find a breach.

import type { Evidence } from './evidence.ts';

export type Invariant = {
  readonly name: string;
  readonly sentence: string;
  readonly breaches: (evidence: Evidence) => string[];
};
