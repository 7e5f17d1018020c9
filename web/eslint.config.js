import js from '@eslint/js'
import hooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

// The tree stays a tree: app → features → components, lib, api. Features do not know each other, and what is not in
// the same folder is imported by its full name, so that these patterns see it.
const restrict = (files, group, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group, message }, { group: ['../*'], message: 'write @/… for what is not in this folder' }] }] },
})

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'src/api/schema.gen.ts', 'test-results', 'playwright-report'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  hooks.configs.flat.recommended,
  restrict(['src/features/**'], ['@/features/*', '@/app/*'], 'a feature uses neither another feature nor the app: move what both need to components or lib'),
  restrict(['src/components/**', 'src/lib/**', 'src/api/**', 'src/testing/**'], ['@/features/*', '@/app/*'], 'shared code uses neither features nor the app'),
)
