import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Provider } from './app/Provider'
import { paint } from './lib/theme'
import { reloadForNewVersion } from './lib/version'
import './styles.css'

paint()
addEventListener('vite:preloadError', (event) => reloadForNewVersion(event))

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <Provider />
  </StrictMode>,
)
