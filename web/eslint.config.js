import js from '@eslint/js'
import { createNodeResolver, importX } from 'eslint-plugin-import-x'
import hooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

// The tree stays a tree: app → features → components, lib, api. Features do not know each other.
const features = ['session', 'reports', 'runs', 'audit']
const zones = [
  ...features.map((name) => ({ target: `./src/features/${name}`, from: './src/features', except: [`./${name}`], message: 'a feature must not use another feature: move what both need to components or lib' })),
  { target: './src/features', from: './src/app', message: 'a feature must not use the app' },
  { target: ['./src/components', './src/lib', './src/api'], from: ['./src/features', './src/app'], message: 'shared code must not use features or the app' },
]

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'src/api/schema.gen.ts', 'test-results', 'playwright-report'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  hooks.configs.flat.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.tsx'] })] },
    rules: { 'import-x/no-restricted-paths': ['error', { zones }] },
  },
)
