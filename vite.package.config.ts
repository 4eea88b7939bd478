// Builds what the package runs, from src/cli/main.ts to dist: flwd and what it depends on in a few files (ADR 0026).

import { join } from 'node:path';
import { defineConfig, type Plugin, type Rolldown } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  // The same whatever NODE_ENV says: React's other build checks and measures each render.
  plugins: [withoutHttp2(), builtinsAsTheyAre(), asciiOnly()],
  define: { 'process.env.NODE_ENV': '"production"' },
  ssr: { noExternal: true, target: 'node' },
  build: {
    ssr: true,
    outDir: join(import.meta.dirname, 'dist'),
    emptyOutDir: true,
    target: 'node24',
    minify: false,
    license: { fileName: 'LICENSES.md' },
    rolldownOptions: {
      input: { 'cli/main': join(import.meta.dirname, 'src/cli/main.ts') },
      external: [
        // Ink asks for it when DEV is set.
        'react-devtools-core',
        // Fastify asks for them where it checks and serializes by schemas, and for its own tests (src/server/app.ts).
        '@fastify/ajv-compiler',
        '@fastify/fast-json-stringify-compiler',
        'light-my-request',
      ],
      output: {
        entryFileNames: '[name].js',
        // As deep as the folders of src: what is found from a file's own place is found from here too.
        chunkFileNames: 'parts/[name]-[hash].js',
        // The first takes what it wants from the second.
        codeSplitting: { groups: [{ name: quickPart, priority: 1 }, { name: askingPart }] },
        comments: { jsdoc: false, annotation: false, legal: false },
      },
    },
  },
});

/** What a command loads to ask an instance; and what those load that ask none and must be quickest. */
const asking = ['command-line', 'job/jobs', 'session/session'];
const quickest = ['version', 'completion/complete'];

/**
 * Each file takes half a millisecond to load, whatever is in it: what every command that asks an instance loads is one. What the
 * quickest commands share with them is another, which is all that these load of it.
 */
function askingPart(id: string, graph: Rolldown.ChunkingContext): string | null {
  return isLoadedBy(asking, id, graph) ? 'asking' : null;
}

function quickPart(id: string, graph: Rolldown.ChunkingContext): string | null {
  return isLoadedBy(asking, id, graph) && isLoadedBy(quickest, id, graph) ? 'quick' : null;
}

function isLoadedBy(commands: readonly string[], id: string, graph: Rolldown.ChunkingContext): boolean {
  const loaded = new Set(commands.map((name) => join(import.meta.dirname, `src/cli/${name}.ts`)));
  for (const each of loaded) for (const next of graph.getModuleInfo(each)?.importedIds ?? []) loaded.add(next);
  return loaded.has(id);
}

/**
 * An `import` of a module of Node's reads each of its exports, and some of them load what nobody asked for: that of node:http loads
 * what `fetch` needs, for its WebSocket, which takes longer than Node to start.
 */
function builtinsAsTheyAre(): Plugin {
  return {
    name: 'builtins-as-they-are',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk') continue;
        file.code = file.code.replaceAll(/^import ([^"]+) from "(node:[^"]+)";$/gm, (_, names: string, id: string) => {
          const [, whole, , members] =
            /^(?:\* as )?([\w$]+)?(, )?(\{.+\})?$/.exec(names) ?? this.error(`import ${names}`);
          const wanted = [whole, members?.replaceAll(' as ', ': ')].filter((pattern) => pattern !== undefined);
          return `const ${wanted.map((pattern) => `${pattern} = process.getBuiltinModule("${id}")`).join(', ')};`;
        });
      }
    },
  };
}

/** Fastify loads HTTP/2 at each start, and flwd speaks HTTP/1 only: 4 ms of a start. */
function withoutHttp2(): Plugin {
  return {
    name: 'without-http2',
    enforce: 'pre',
    resolveId: (id) => (id === 'node:http2' ? '\0http2' : null),
    load: (id) => (id === '\0http2' ? 'export default null;' : null),
  };
}

/** V8 keeps a source that has one character beyond Latin-1 at two bytes for each: three megabytes of a server. */
function asciiOnly(): Plugin {
  return {
    name: 'ascii-only',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) if (file.type === 'chunk') file.code = escaped(file.code);
    },
  };
}

function escaped(code: string): string {
  return code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
