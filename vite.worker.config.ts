// Builds the thread that searches logs into one file beside the package's code (vite.package.config.ts). Parts that it
// shared with the server would load the whole server into the thread.

import { join } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  ssr: { noExternal: true, target: 'node' },
  build: {
    ssr: true,
    outDir: join(import.meta.dirname, 'dist/parts'),
    emptyOutDir: false,
    target: 'node24',
    minify: false,
    rolldownOptions: {
      input: { 'search-worker': join(import.meta.dirname, 'src/store/log/search/search-worker.ts') },
      output: { entryFileNames: '[name].js', codeSplitting: false, comments: { jsdoc: false } },
    },
  },
});
