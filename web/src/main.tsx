import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Provider } from './app/Provider'
import { paint, useTheme } from './lib/theme'
import './styles.css'

paint(useTheme.getState().theme)

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <Provider />
  </StrictMode>,
)
