import { mount } from 'svelte'
import App from './App.svelte'
import { connect } from './client/index.ts'
import { router } from './router/router.svelte.ts'
import { app } from './state/app.svelte.ts'
import { refusals } from './state/refusals.svelte.ts'
import './styles/tokens.css'
import './styles/base.css'
import './styles/controls/button.css'
import './styles/controls/input.css'
import './styles/controls/select.css'
import './styles/controls/menu.css'
import './styles/controls/dialog.css'
import './styles/controls/card-choices.css'

refusals.listen()
await connect()
router.start()
app.start()
mount(App, { target: document.getElementById('app')! })
