// Lists the pages that the console has, from its own source, so that a test of every page cannot miss a new one.

import { readFileSync } from 'node:fs';
import { adminPath, adminPlaces } from '../../src/console/admin/admin-pages.ts';
import { jobTabs } from '../../src/console/job/job-tabs.ts';
import { runTabs } from '../../src/console/log/run-place.ts';

const pages = readFileSync(new URL('../../src/console/shell/pages.tsx', import.meta.url), 'utf8');
const routes = [...pages.matchAll(/<Route path="([^"]+)"/g)].flatMap(([, path = '']) =>
  path === '/admin/*?' ? adminPlaces.map((place) => adminPath(place.path)) : [path],
);

/** @returns the pages that no address of `paths` shows, e.g. `/admin/audit` or `/runs/:id` */
export function pagesWithout(paths: readonly string[]): string[] {
  return routes.filter((route) => pathsOf(route, paths).length === 0);
}

/** @returns the tabs of jobs and runs that no address of `paths` shows, e.g. `/jobs/*?tab=code` */
export function tabsWithout(paths: readonly string[]): string[] {
  return [['/jobs/*', jobTabs] as const, ['/runs/:id', runTabs] as const].flatMap(([route, tabs]) => {
    const shown = pathsOf(route, paths).map((path) => urlOf(path).searchParams.get('tab') ?? tabs[0]);
    return tabs.filter((tab) => !shown.includes(tab)).map((tab) => `${route}?tab=${tab}`);
  });
}

function pathsOf(route: string, paths: readonly string[]): string[] {
  const pattern = new URLPattern({ pathname: route });
  return paths.filter((path) => pattern.test({ pathname: urlOf(path).pathname }));
}

function urlOf(path: string): URL {
  return new URL(path, 'http://localhost');
}
