// Pictures: read from files, and as pixels of the size at which they count.

async function opened(blob, name) {
  if (blob.type && !blob.type.startsWith('image/')) throw new Error(`${name} is not a picture. Choose a JPEG, PNG or WebP.`)
  try {
    const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' })
    return { name, bitmap, url: URL.createObjectURL(blob), key: crypto.randomUUID?.() ?? String(Math.random()) }
  } catch {
    throw new Error(`${name} cannot be read: it is damaged, or of a kind that this browser does not know. Choose a JPEG, PNG or WebP.`)
  }
}

function sizeOf({ bitmap: { width, height } }, short) {
  const scale = short ? Math.min(1, short / Math.min(width, height)) : 1
  return [width, height].map(side => Math.max(1, Math.round(side * scale)))
}

// The pixels with this short side at most, on white where they are transparent.
function sized(picture, short) {
  const size = sizeOf(picture, short)
  const canvas = new OffscreenCanvas(...size)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  context.fillStyle = 'white'
  context.fillRect(0, 0, ...size)
  context.imageSmoothingQuality = 'high'
  context.drawImage(picture.bitmap, 0, 0, ...size)
  return { width: size[0], height: size[1], rgba: context.getImageData(0, 0, ...size).data }
}

function show(canvas, { width, height, rgba }) {
  Object.assign(canvas, { width, height })
  canvas.getContext('2d').putImageData(new ImageData(rgba, width, height), 0, 0)
}
