// The entries that the palette offers for the typed text: jobs with their actions, runs, pages, commands.

import { Box, CalendarClock, ListFilter, type LucideIcon, Play, Waypoints } from 'lucide-react';
import type { AnswerOf } from '../../contract/operations.ts';
import { stepAndMessage } from '../../domain/outcome/step-and-message.ts';
import type { StepStatus } from '../../domain/run.ts';
import { harmless, jobPath, type RunRow, reasonWords, runPath, runTitle } from '../words.ts';
import { places } from './places.ts';

export type Entry = {
  readonly key: string;
  /** The id of a job, or a name. The parts that match are marked. */
  readonly name: string;
  /** Shown before the name. Matches in it are not marked. */
  readonly before?: string;
  readonly note?: string;
  readonly icon: LucideIcon | StepStatus;
  /** An entry has either `href` or `act`. */
  readonly href?: string;
  /** The first field of the page takes the focus after the jump. */
  readonly isForm?: boolean;
  readonly act?: () => void;
};

export type Group = { readonly title: string; readonly entries: readonly Entry[] };

export type Job = AnswerOf<'listJobs'>['jobs'][number];

const mostJobs = 6;
const mostActJobs = 10;
const mostRuns = 4;

type Asked = {
  readonly text: string;
  readonly jobs: readonly Job[];
  /** The last runs, or those that match the text. */
  readonly runs: readonly RunRow[];
  readonly favourites: readonly string[];
  readonly commands: readonly Entry[];
  readonly nowMs: number;
};

export function entriesFor(o: Asked): readonly Group[] {
  const typed = o.text.trim();
  if (typed.startsWith('>')) return actGroups(o, partsOf(typed.slice(1)));
  const parts = partsOf(typed);
  const runId = runIdIn(typed);
  if (runId !== null)
    return [{ title: 'Runs', entries: [{ key: runId, name: runId, icon: Play, href: runPath(runId) }] }];
  const jobs = parts.length === 0 ? favouritesOf(o) : rankedJobs(o.jobs, parts).slice(0, mostJobs);
  const [first] = jobs;
  const groups = [
    { title: parts.length === 0 ? 'Favourites' : 'Jobs', entries: jobs.map(jobEntry) },
    {
      title: parts.length === 0 ? 'Last runs' : 'Runs',
      entries: o.runs.slice(0, mostRuns).map((run) => runEntry(run, o.nowMs)),
    },
    {
      title: 'Go to',
      entries: [
        ...placeEntries.filter(({ name }) => matches(name, parts)),
        ...(parts.length > 0 && first ? actsOf(first) : []),
        ...(parts.length > 0 ? [searchEntry(typed)] : []),
      ],
    },
  ];
  return groups.filter(({ entries }) => entries.length > 0);
}

function actGroups(o: Asked, parts: readonly string[]): readonly Group[] {
  const jobs = rankedJobs(o.jobs, parts).slice(0, mostActJobs);
  const commands = o.commands.filter(({ name }) => matches(name, parts));
  return [
    { title: 'Commands', entries: commands },
    { title: 'Run a job', entries: jobs.map(startEntry) },
  ].filter(({ entries }) => entries.length > 0);
}

export function partsOf(text: string): readonly string[] {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

function matches(text: string, parts: readonly string[]): boolean {
  const lower = text.toLowerCase();
  return parts.every((part) => lower.includes(part));
}

/**
 * The jobs whose id or title contains every part. Jobs whose name begins with a part come first. Jobs whose title is
 * needed for the match come last.
 */
export function rankedJobs(jobs: readonly Job[], parts: readonly string[]): Job[] {
  const rank = ({ id, title }: Job): number => {
    if (!matches(id, parts)) return matches(`${id} ${title ?? ''}`, parts) ? 2 : 3;
    const name = id.slice(id.lastIndexOf('/') + 1).toLowerCase();
    return parts.some((part) => name.startsWith(part)) ? 0 : 1;
  };
  return jobs
    .map((job) => ({ job, at: rank(job) }))
    .filter(({ at }) => at < 3)
    .toSorted((a, b) => a.at - b.at)
    .map(({ job }) => job);
}

function favouritesOf({ jobs, favourites }: Asked): Job[] {
  return favourites.flatMap((id) => jobs.find((job) => job.id === id) ?? []).slice(0, mostJobs);
}

function jobEntry({ id, title }: Job): Entry {
  return {
    key: id,
    name: harmless(id),
    icon: Box,
    href: jobPath(id),
    ...(title !== null && { note: harmless(title) }),
  };
}

function startEntry({ id }: Job): Entry {
  return {
    key: `run ${id}`,
    before: 'Run ',
    name: `${harmless(id)}…`,
    note: 'opens its form',
    icon: Play,
    href: jobPath(id),
    isForm: true,
  };
}

function actsOf(job: Job): Entry[] {
  const { id } = job;
  const name = harmless(id);
  const query = encodeURIComponent(`job:${id}`);
  return [
    startEntry(job),
    { key: `runs ${id}`, before: 'Runs of ', name, icon: ListFilter, href: `/runs?q=${query}` },
    { key: `graph ${id}`, before: 'Graph of ', name, icon: Waypoints, href: `${jobPath(id)}?tab=graph` },
    {
      key: `schedules ${id}`,
      before: 'Schedules of ',
      name,
      icon: CalendarClock,
      href: `${jobPath(id)}?tab=schedules`,
    },
  ];
}

function runEntry(run: RunRow, nowMs: number): Entry {
  const failure = run.error === null ? reasonWords(run.reason) : stepAndMessage(run.error);
  const why = run.waiting ?? (run.status === 'failed' ? failure : '');
  return {
    key: run.run_id,
    name: runTitle(run, nowMs),
    icon: run.status,
    href: runPath(run.run_id),
    ...(why !== '' && { note: harmless(why) }),
  };
}

function searchEntry(typed: string): Entry {
  return {
    key: 'search',
    before: 'Runs with ',
    name: `“${harmless(typed)}”`,
    icon: ListFilter,
    href: `/runs?q=${encodeURIComponent(typed)}`,
  };
}

const placeEntries: readonly Entry[] = places.map(({ href, name, icon }) => ({ key: href, name, icon, href }));

/** A run's id may be pasted alone or as part of an address. */
function runIdIn(text: string): string | null {
  return /run_[0-9A-Za-z]{20,}/.exec(text)?.[0] ?? null;
}
