// Builds what the package runs, from src/cli/main.ts to dist: flwd and what it depends on in a few files (ADR 0026).

import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  // The same whatever NODE_ENV says: React's other build checks and measures each render.
  plugins: [asciiOnly()],
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
        comments: { jsdoc: false, annotation: false, legal: false },
      },
    },
  },
});

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
