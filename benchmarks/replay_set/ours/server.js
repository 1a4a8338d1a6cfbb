import http from 'node:http';

const routes = {
  '/': () => ({ status: 200, body: 'hello' }),
  '/time': () => ({ status: 200, body: new Date().toISOString() }),
};

const server = http.createServer((request, response) => {
  const route = routes[request.url];
  const { status, body } = route ? route() : { status: 404, body: 'not found' };
  response.writeHead(status, { 'Content-Type': 'text/plain' });
  response.end(body);
});

server.listen(8080, () => {
  console.log('listening on port 8080');
});
