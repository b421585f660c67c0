import js from '@eslint/js'
import svelte from 'eslint-plugin-svelte'
import globals from 'globals'
import ts from 'typescript-eslint'
import { layers } from './scripts/layers.js'
import svelteConfig from './svelte.config.js'

export default ts.config(
  {
    ignores: ['dist/', 'node_modules/', '.svelte-check/', 'test-results/', 'playwright-report/', 'src/lib/api/*.d.ts'],
  },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      // TypeScript knows every name, those of the DOM included.
      'no-undef': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { extraFileExtensions: ['.svelte'], parser: ts.parser, svelteConfig } },
  },
  { files: ['src/**'], plugins: { streamer: { rules: { layers } } }, rules: { 'streamer/layers': 'error' } },
  {
    // A picture and a file are no JSON.
    files: ['src/**'],
    ignores: ['src/pages/admin/views/CutEdge.svelte', 'src/features/talk/panel/mydata.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...['value', 'quasis.0.value.raw'].map((text) => ({
          selector: `CallExpression[callee.name="fetch"][arguments.0.${text}=/^.api/]`,
          message: 'Requests go through `ask` of lib/api/client.ts, which looks at every answer.',
        })),
      ],
    },
  },
  { files: ['scripts/**', '*.config.*'], languageOptions: { globals: { ...globals.node } } },
)
