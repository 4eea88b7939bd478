// The types of an export: what it sends, and what it needs for that.

import type { JournalEntry } from '../domain/event.ts';
import type { Hub } from '../engine/hub.ts';
import type { SecretOf } from '../engine/secrets/stored-text.ts';
import type { SteadyClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Signal } from '../store/exports.ts';
import type { Store } from '../store/open.ts';
import type { Collector } from './send.ts';

/** The items of one request. When the collector has accepted them, the search of the journal continues at `nextId`. */
export type Part<Item> = {
  readonly items: readonly Item[];
  readonly nextId: number;
  /** How many runs or lines before `nextId` are too old to be sent. */
  readonly dropped: number;
};

/** The part of the journal to read. Items that are older than `sinceMs` are dropped. */
export type Range = { readonly fromId: number; readonly toId: number; readonly sinceMs: number };

/** Finds the spans or the lines for the events of the journal. */
export type Source<Item> = {
  readonly kind: Signal;
  /** The texts for the log of the server when something happens to the items. */
  readonly says: Readonly<Record<'later' | 'again' | 'refused' | 'tooOld' | 'failed', string>>;
  readonly isNews: (entry: JournalEntry) => boolean;
  /** Yields the items in the order of the journal. */
  readonly read: (range: Range) => AsyncIterable<Part<Item>>;
  readonly serialize: (items: Item[]) => Uint8Array | undefined;
};

export type ExportOptions = {
  readonly store: Pick<Store, 'db' | 'exports'>;
  readonly hub: Pick<Hub, 'latestId' | 'onEvents'>;
  readonly collector: Collector;
  readonly secretOf: SecretOf;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly version: string;
  /** The event at which the export begins if nothing has been exported before. */
  readonly beginsAt: number;
  readonly timeoutMs?: number;
};
