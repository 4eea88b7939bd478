// Builds the package's code from src/cli/main.ts into dist: flwd with its dependencies, in a few files (ADR 0026).

import { join } from 'node:path';
import { defineConfig, type Plugin, type Rolldown } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  // Ignores NODE_ENV: React's development build checks and measures each render.
  plugins: [requiredLate(), withoutUnusedBuiltins(), withoutSecondAjv(), builtinsAsTheyAre(), asciiOnly()],
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
        // Ink imports it only if DEV is set.
        'react-devtools-core',
        // Fastify imports them to check and serialize by schemas, and for its own tests; flwd does neither
        // (src/server/app.ts).
        '@fastify/ajv-compiler',
        '@fastify/fast-json-stringify-compiler',
        'light-my-request',
      ],
      output: {
        entryFileNames: '[name].js',
        // As deep as the folders of src, so that paths relative to a file still work.
        chunkFileNames: 'parts/[name]-[hash].js',
        codeSplitting: { includeDependenciesRecursively: false, groups: parts() },
        comments: { jsdoc: false, annotation: false, legal: false },
      },
    },
  },
});

type Graph = Rolldown.ChunkingContext;

/**
 * Loading a file takes half a millisecond, whatever it contains, so what is always loaded together is one file. A
 * module that belongs to several goes to the first:
 * - quick: what the fastest commands need, which ask no instance
 * - asking: what all commands need that ask an instance
 * - shared: what a server and other commands need
 * - starting: what a server needs before it probes the host
 * - probing: what probes the host, which starts before the server's code is loaded
 * - sources: what only reads the jobs of a folder
 * - serving: what only a server needs
 */
function parts() {
  return [
    part(
      'quick',
      (id, graph) => isAsking(id, graph) && isLoadedBy(['cli/version', 'cli/completion/complete'], id, graph),
      7,
    ),
    part('asking', isAsking, 6),
    part('shared', (id, graph) => isLoadedBy(['cli/admin/serve', 'main'], id, graph) && isShared(id, graph), 5),
    part('starting', (id, graph) => isLoadedBy(['cli/admin/serve'], id, graph), 4),
    part('probing', (id, graph) => isLoadedBy(['host-probe'], id, graph), 3),
    part('sources', (id, graph) => isLoadedBy(['sources'], id, graph) && !isShared(id, graph), 2),
    part('serving', (id, graph) => isLoadedBy(['main'], id, graph), 1),
  ];
}

function part(name: string, holds: (id: string, graph: Graph) => boolean, priority: number) {
  return { name: (id: string, graph: Graph) => (holds(id, graph) ? name : null), priority };
}

function isAsking(id: string, graph: Graph): boolean {
  return isLoadedBy(['cli/command-line', 'cli/job/jobs', 'cli/session/session'], id, graph);
}

function isShared(id: string, graph: Graph): boolean {
  const verbs = graph.getModuleInfo(pathOf('cli/main'))?.dynamicallyImportedIds ?? [];
  const others = verbs.filter((verb) => verb !== pathOf('cli/admin/serve'));
  return loadedBy(others, graph).has(id);
}

function isLoadedBy(modules: readonly string[], id: string, graph: Graph): boolean {
  return loadedBy(modules.map(pathOf), graph).has(id);
}

function loadedBy(ids: readonly string[], graph: Graph): ReadonlySet<string> {
  const loaded = new Set(ids);
  for (const each of loaded) for (const next of graph.getModuleInfo(each)?.importedIds ?? []) loaded.add(next);
  return loaded;
}

function pathOf(name: string): string {
  return join(import.meta.dirname, `src/${name}.ts`);
}

/**
 * An `import` of one of Node's modules reads each of its exports, and some of these load more code: the WebSocket of
 * node:http loads everything that `fetch` needs, which takes longer than Node's own start.
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

/**
 * A library that a source file loads with `require` is in the bundle too, and its code runs when it is first asked for.
 * The bundler finds only calls of a `require` that nobody has defined.
 */
function requiredLate(): Plugin {
  const definition =
    /^import \{ createRequire \} from 'node:module';$|^const require = createRequire\(import\.meta\.url\);$/gm;
  return {
    name: 'required-late',
    enforce: 'pre',
    transform: (code, id) =>
      id.startsWith(join(import.meta.dirname, 'src/')) ? code.replaceAll(definition, '') : null,
  };
}

/**
 * Fastify loads HTTP/2 and HTTPS at each start: 9 ms. flwd speaks HTTP/1 only, and makes its HTTPS servers itself
 * (src/server/tls.ts).
 */
function withoutUnusedBuiltins(): Plugin {
  return {
    name: 'without-unused-builtins',
    enforce: 'pre',
    resolveId(id, importer) {
      const isHttpsOfFastify = id === 'node:https' && importer?.includes('/node_modules/fastify/');
      return id === 'node:http2' || isHttpsOfFastify ? '\0unused' : null;
    },
    load: (id) => (id === '\0unused' ? 'export default null;' : null),
  };
}

/**
 * The MCP SDK brings an Ajv of its own, to check what people answer to a question of a tool. flwd's tools ask nothing,
 * and the server has an Ajv: 267 kB of code.
 */
function withoutSecondAjv(): Plugin {
  const shims = '\0mcp-shims';
  return {
    name: 'without-second-ajv',
    enforce: 'pre',
    resolveId: (id) => (id === '@modelcontextprotocol/server/_shims' ? shims : null),
    load: (id) =>
      id === shims
        ? "import process from 'node:process';\nexport { process };\nexport class DefaultJsonSchemaValidator {}"
        : null,
  };
}

/** V8 stores a source with a single character beyond Latin-1 at two bytes for each character: 3 MB of a server. */
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
