import './style.css'
import { render } from 'preact'
import { App } from './app'
import { startLanguage } from './strings'

startLanguage()
render(<App />, document.getElementById('console')!)
