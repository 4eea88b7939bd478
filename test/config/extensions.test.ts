import { describe, expect, test } from 'vitest';
import { createProject } from './project.ts';

const withYaml = (yaml: string) => createProject({ 'flwd.yaml': yaml });
const enabled = (list: string) => withYaml(`extensions: { enabled: ${list} }`);

describe('extensions.enabled', () => {
  test.each([
    ['[tui]', ['tui']],
    ['[tui, tui]', ['tui']],
    ['[]', []],
    ['[maint]', []],
    ['[mcp, tui]', ['tui', 'mcp']],
  ])('%s enables %j of the interfaces that this build has', (list, extensions) => {
    expect(enabled(list).load().config.extensions).toEqual(extensions);
  });

  test('by default every interface of this build is enabled', () => {
    expect(createProject().load().config.extensions).toEqual(['tui', 'mcp']);
  });

  test('the environment overrides the file', () => {
    expect(enabled('[]').load({}, { FLWD_EXTENSIONS_ENABLED: 'tui' }).config.extensions).toEqual(['tui']);
  });

  test('triggers, export and maint are accepted, with a warning at the place of the list', () => {
    const { config, warnings } = enabled('[maint, tui, triggers, export]').load();
    expect(config.extensions).toEqual(['tui']);
    expect(warnings).toEqual([
      'flwd.yaml:1:24: the extension `triggers` is accepted but has no effect',
      'flwd.yaml:1:24: the extension `export` is accepted but has no effect',
      'flwd.yaml:1:24: the extension `maint` is accepted but has no effect',
    ]);
    expect(enabled('[tui]').load().warnings).toEqual([]);
  });

  test.each([
    ['[tiu]', 'the list `tiu`; did you mean `tui`?'],
    ['[tui, trigers]', 'the list `tui, trigers`; did you mean `triggers`?'],
    ['[tui, Maint]', 'the list `tui, Maint`; did you mean `maint`?'],
    ['[kubernetes]', 'the list `kubernetes`'],
    ['tui', '`tui`'],
  ])('%s is an error that suggests the nearest known name', (list, shown) => {
    const message = 'must be a list, each one of `tui`, `mcp`, `triggers`, `export`, `maint`, not';
    expect(enabled(list).errors()).toEqual([`flwd.yaml:1:24: \`extensions.enabled\` ${message} ${shown}`]);
  });
});
