// A service worker that adds the headers under which browsers allow threads, which plain file servers do not send.

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', event => event.respondWith(isolated(event.request)))

async function isolated(request) {
  const reply = await fetch(request)
  const headers = new Headers(reply.headers)
  headers.set('Cross-Origin-Opener-Policy', 'same-origin')
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp')
  return new Response(reply.body, { status: reply.status, statusText: reply.statusText, headers })
}
