// The page: choosing pictures, settings, showing the result. The work is done by worker.js.

const $ = id => document.getElementById(id)
const STYLE_SIZE = 512 // short side to which larger style pictures are reduced, as wct does
const LIVE = 4 // seconds: up to there a change of the settings is shown at once

const chosen = { photo: null, style1: null, style2: null }
let worker = null
let current = null // the job that the worker has
let stale = false // the settings have changed since
let result = null // the name of the photo whose result is shown
let pace = Infinity // seconds per pixel of the latest job

// Choosing

function choose(role, picture) {
  const old = chosen[role]
  if (old) URL.revokeObjectURL(old.url)
  chosen[role] = picture
  const root = $(role)
  const image = root.querySelector('.drop img')
  image.src = picture ? picture.url : ''
  root.classList.toggle('filled', Boolean(picture))
  root.querySelector('.drop span').textContent = picture ? picture.name : root.dataset.empty
  for (const button of root.querySelectorAll('.examples button')) {
    button.setAttribute('aria-pressed', String(button.value === (picture ? picture.example : '')))
  }
  problem('')
  if (role === 'style2') root.querySelector('.slider').hidden = !picture
  if (role === 'photo') showPhoto()
  changed()
}

async function take(role, blob, name, example) {
  try {
    choose(role, { ...await opened(blob, name), example })
  } catch (error) {
    problem(error.message)
  }
}

async function takeExample(role, name) {
  const reply = await fetch(`examples/${name}.jpg`).catch(() => null)
  if (reply?.ok) await take(role, await reply.blob(), `${name}.jpg`, name)
  else problem(`The example ${name} could not be fetched. Is the server still there?`)
}

function picker(role, examples) {
  const root = $(role)
  const drop = root.querySelector('.drop')
  const input = drop.querySelector('input')
  root.dataset.empty = drop.querySelector('span').textContent
  input.addEventListener('change', () => {
    const [file] = input.files
    if (file) take(role, file, file.name)
    input.value = ''
  })
  for (const kind of ['dragover', 'dragleave', 'drop']) {
    root.addEventListener(kind, event => {
      event.preventDefault()
      root.classList.toggle('over', kind === 'dragover')
    })
  }
  root.addEventListener('drop', event => {
    const [file] = event.dataTransfer.files
    if (file) take(role, file, file.name)
  })
  const row = root.querySelector('.examples')
  if (role === 'style2') {
    const none = Object.assign(document.createElement('button'), { type: 'button', textContent: 'none', value: '' })
    none.setAttribute('aria-pressed', 'true')
    none.addEventListener('click', () => choose(role, null))
    row.append(none)
  }
  for (const name of examples) {
    const button = Object.assign(document.createElement('button'), { type: 'button', value: name, title: name })
    button.append(Object.assign(new Image(), { src: `examples/${name}.jpg`, alt: name, width: 48, height: 48 }))
    button.setAttribute('aria-pressed', 'false')
    button.addEventListener('click', () => takeExample(role, name))
    row.append(button)
  }
}

// Showing

function showPhoto() {
  if (!chosen.photo) return
  show($('before'), sized(chosen.photo, short()))
  reveal(null)
}

function reveal(name) {
  result = name
  for (const node of document.querySelectorAll('#after, #split, .line, .tag, #download')) node.hidden = !name
}

function split() {
  const share = Number($('split').value)
  const compare = document.querySelector('.compare')
  compare.style.setProperty('--split', `${share}%`)
  compare.classList.toggle('whole', share < 1)
}

function status(text, share) {
  $('status').textContent = text
  $('progress').hidden = share === undefined
  if (share === null) $('progress').removeAttribute('value')
  else if (share !== undefined) $('progress').value = share
}

function problem(text) {
  $('problem').textContent = text
  $('problem').hidden = !text
}

function values() {
  $('controls').querySelector('output[for=alpha]').textContent = `${$('alpha').value} %`
  $('controls').querySelector('output[for=grain]').textContent = $('grain').value
  const blend = Number($('blend').value)
  $('controls').querySelector('output[for=blend]').textContent = `${100 - blend} : ${blend}`
}

// Working

function changed() {
  values()
  $('run').disabled = !(chosen.photo && chosen.style1)
  if (current) stale = true
  else if (chosen.photo && pace * area(chosen.photo) < LIVE) run()
}

function short() {
  return Number($('size').value)
}

function area(picture) {
  const [width, height] = sizeOf(picture, short())
  return width * height
}

function job() {
  const scale = Number($('strokes').value)
  const blend = chosen.style2 ? Number($('blend').value) / 100 : 0
  const parts = [[chosen.style1, 1 - blend], [chosen.style2, blend]].filter(([picture, weight]) => picture && weight > 0)
  return {
    content: sized(chosen.photo, short()),
    styles: parts.map(([picture]) => {
      const { width, height } = picture.bitmap
      const side = Math.max(1, Math.round(scale * Math.min(width, height, STYLE_SIZE)))
      return { ...sized(picture, side), key: `${picture.key} ${side}` }
    }),
    weights: parts.map(([, weight]) => weight),
    alpha: Number($('alpha').value) / 100,
    grain: Number($('grain').value),
  }
}

function run() {
  if (current || !(chosen.photo && chosen.style1)) return
  problem('')
  stale = false
  current = { id: Math.random(), name: chosen.photo.name, photo: chosen.photo, ...job() }
  busy(true)
  status('Getting ready', null)
  worker ??= started()
  const { id, content, styles, weights, alpha, grain } = current
  const engine = new URLSearchParams(location.search).get('engine')
  worker.postMessage({ id, content, styles, weights, alpha, grain, engine })
}

function busy(yes) {
  document.body.classList.toggle('busy', yes)
  $('stage').setAttribute('aria-busy', String(yes))
  $('stop').hidden = !yes
  $('run').disabled = yes || !(chosen.photo && chosen.style1)
}

function started() {
  const made = new Worker('worker.js', { type: 'module' })
  made.onmessage = ({ data }) => data.id ? finished(data) : heard(data)
  made.onerror = event => {
    event.preventDefault()
    finished({ id: current?.id, failed: event.message || 'the engine could not be started' })
  }
  return made
}

function heard({ text, done, total, note }) {
  if (note) return problem(note)
  const megabytes = total ? `: ${(done / 1e6).toFixed(0)} of ${(total / 1e6).toFixed(0)} MB` : ''
  status(`${text}${megabytes} …`, total ? Math.min(1, done / total) : null)
}

function finished({ id, rgba, seconds, gpu, threads, failed }) {
  if (id !== current?.id) return
  const { content, name, photo } = current
  current = null
  busy(false)
  if (failed) {
    quit()
    status('')
    problem(explained(failed))
    return
  }
  if (photo === chosen.photo) {
    show($('before'), content)
    show($('after'), { ...content, rgba })
    reveal(name)
    split()
    pace = seconds / (content.width * content.height)
    const where = gpu ? 'the graphics card' : threads > 1 ? `${threads} threads` : 'one thread'
    status(`${content.width} × ${content.height} in ${seconds.toFixed(1)} s by ${where}`)
  }
  if (stale) changed()
}

function explained(cause) {
  if (/memory|alloc|out of bounds|array length/i.test(cause)) return 'The picture is too large for the browser’s memory. Choose a smaller size.'
  if (/fetch|network|server|import/i.test(cause)) return `The engine could not be fetched (${cause}). Check that the server still runs, and try again.`
  return `That did not work: ${cause.split('\n')[0].slice(0, 200)}`
}

function quit() {
  worker?.terminate()
  worker = null
}

function stop() {
  quit()
  current = null
  busy(false)
  status('Stopped.')
}

function download() {
  $('after').toBlob(blob => {
    const url = URL.createObjectURL(blob)
    const link = Object.assign(document.createElement('a'), { href: url, download: `${result.replace(/\.[^.]*$/, '')}-stylized.png` })
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 1000)
  }, 'image/png')
}

// Browsers allow threads to pages with certain headers, which isolate.js adds: the page has to come through it, once.
// The engine uses half of the cores, four at most.
async function isolate() {
  if (crossOriginIsolated || navigator.hardwareConcurrency < 4 || !navigator.serviceWorker || sessionStorage.getItem('isolated')) return
  sessionStorage.setItem('isolated', 'tried')
  try {
    await navigator.serviceWorker.register('isolate.js')
    await navigator.serviceWorker.ready
    location.reload()
    await new Promise(() => {})
  } catch {
    // One thread does it, too.
  }
}

async function open() {
  if (location.protocol === 'file:') {
    problem('A browser does not run this page from a file. Serve its folder, for example by: python -m http.server')
    return
  }
  await isolate()
  const about = await (await fetch('about.json')).json()
  picker('photo', about.photos)
  picker('style1', about.paintings)
  picker('style2', about.paintings)
  $('about').textContent = `wct ${about.wct}, model ${about.model} (${about.licence}), on ONNX Runtime Web ${about.runtime} (MIT). The example photos are in the public domain.`
  $('controls').addEventListener('submit', event => { event.preventDefault(); $('stage').scrollIntoView({ block: 'nearest' }); run() })
  for (const id of ['alpha', 'grain', 'blend', 'strokes']) $(id).addEventListener('input', changed)
  $('size').addEventListener('input', () => { if (!result) showPhoto(); changed() })
  $('split').addEventListener('input', split)
  $('stop').addEventListener('click', stop)
  $('download').addEventListener('click', download)
  values()
  await Promise.all([takeExample('photo', about.photos.at(-1)), takeExample('style1', about.paintings[0])])
  status('Ready. The first picture takes a little longer: the engine is fetched once.')
}

addEventListener('dragover', event => event.preventDefault())
addEventListener('drop', event => event.preventDefault())
open().catch(() => problem('The page is not whole: about.json is missing. Write it anew with wct export page.'))
