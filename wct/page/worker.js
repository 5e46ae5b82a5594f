// The engine: two ONNX graphs on onnxruntime-web, one that measures styles and one that stylises.

const KEPT_STYLES = 8
const LEVELS = [1, 2, 3, 4, 5]
const measured = new Map()
let gpu, engine

self.onmessage = async ({ data: job }) => {
  try {
    gpu ??= await hasWebGPU(job.engine)
    try {
      await run(job)
    } catch (error) {
      if (!gpu) throw error
      tell({ note: 'The graphics card could not do it, so the processor does.' })
      gpu = false
      engine = undefined
      measured.clear()
      await run(job)
    }
  } catch (error) {
    self.postMessage({ id: job.id, failed: String(error?.message ?? error) })
  }
}

function tell(progress) {
  self.postMessage(progress)
}

async function hasWebGPU(wanted) {
  if (wanted === 'wasm') return false
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null)
  if (!adapter) return false
  // A card that is imitated by the processor is slower than the processor itself.
  return wanted === 'webgpu' || !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter)
}

async function start() {
  const [script, binary] = gpu ? ['ort.min.mjs', 'jsep.wasm'] : ['ort.wasm.min.mjs', 'wasm']
  const [wasm, weights] = await fetched([`runtime/ort-wasm-simd-threaded.${binary}`, 'weights.bin'])
  tell({ text: 'Starting the engine' })
  const ort = await import(`./runtime/${script}`)
  ort.env.logLevel = 'error'
  ort.env.wasm.wasmBinary = wasm
  const options = {
    executionProviders: [gpu ? 'webgpu' : 'wasm'],
    logSeverityLevel: 3,
    externalData: [{ path: 'weights.bin', data: new Uint8Array(weights) }],
  }
  const style = await ort.InferenceSession.create('style.onnx', options)
  const stylize = await ort.InferenceSession.create('stylize.onnx', options)
  return { ort, style, stylize }
}

async function fetched(names) {
  const sizes = names.map(() => [0, 0])
  return Promise.all(names.map(async (name, i) => {
    const reply = await fetch(name)
    if (!reply.ok) throw new Error(`${name}: the server says ${reply.status}`)
    sizes[i][1] = Number(reply.headers.get('Content-Length'))
    const parts = []
    for (const reader = reply.body.getReader(); ;) {
      const { done, value } = await reader.read()
      if (done) break
      parts.push(value)
      sizes[i][0] += value.length
      const [got, all] = [0, 1].map(k => sizes.reduce((sum, size) => sum + size[k], 0))
      tell({ text: 'Fetching the engine, once', done: got, total: all })
    }
    return new Blob(parts).arrayBuffer()
  }))
}

async function run({ id, content, styles, weights, alpha, grain }) {
  engine ??= await start()
  const began = performance.now()
  const { ort, stylize } = engine
  const found = []
  for (const [i, style] of styles.entries()) {
    if (!measured.has(style.key)) tell({ text: styles.length > 1 ? `Measuring style ${i + 1}` : 'Measuring the style' })
    found.push(await measure(style))
  }
  tell({ text: `Stylising ${content.width} × ${content.height}` })
  const feeds = { content: tensor(content), weights: vector(weights), alpha: vector([alpha]), grain: vector([grain]) }
  for (const level of LEVELS) {
    for (const name of [`mean${level}`, `root${level}`]) feeds[name] = stacked(found.map(one => one[name]))
  }
  const { picture } = await stylize.run(feeds)
  const rgba = pixels(picture.data)
  picture.dispose()
  const seconds = (performance.now() - began) / 1000
  self.postMessage({ id, rgba, gpu, seconds, threads: ort.env.wasm.numThreads }, [rgba.buffer])
}

async function measure(style) {
  const { key } = style
  if (!measured.has(key)) measured.set(key, await engine.style.run({ style: tensor(style) }))
  const found = measured.get(key)
  measured.delete(key)
  measured.set(key, found)
  if (measured.size > KEPT_STYLES) measured.delete(measured.keys().next().value)
  return found
}

function vector(numbers) {
  return new engine.ort.Tensor('float32', Float32Array.from(numbers), [numbers.length])
}

function stacked(tensors) {
  const size = tensors[0].data.length
  const data = new Float32Array(size * tensors.length)
  tensors.forEach((one, i) => data.set(one.data, i * size))
  return new engine.ort.Tensor('float32', data, [tensors.length, ...tensors[0].dims.slice(1)])
}

// RGBA bytes to (1, 3, H, W) in 0..1.
function tensor({ rgba, width, height }) {
  const area = width * height
  const data = new Float32Array(3 * area)
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) data[c * area + i] = rgba[4 * i + c] / 255
  }
  return new engine.ort.Tensor('float32', data, [1, 3, height, width])
}

function pixels(data) {
  const area = data.length / 3
  const rgba = new Uint8ClampedArray(4 * area).fill(255)
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) {
      const value = data[c * area + i]
      if (!Number.isFinite(value)) throw new Error('the result is not finite')
      rgba[4 * i + c] = 255 * value
    }
  }
  return rgba
}
